// A restricted unpickler over the zip container of torch.save: a stack machine that supports tensors, containers and
// plain values, and keeps only the name of any other class.
#include <algorithm>
#include <cstring>
#include <iterator>
#include <unordered_map>

#include <sectile/error.h>

#include "stored_tensors.h"
#include "torch_file.h"
#include "zip_file.h"

namespace sectile {
namespace {

namespace fs = std::filesystem;

// A list or dict of the file. Once it is inside another one, it no longer changes, as in files of Python's pickler:
// so none contains itself, and none is nested deeper than its parts say.
template <class Items>
struct Built : Items {
  int depth = 1;
  bool placed = false;
};

class PickleReader {
 public:
  PickleReader(std::string bytes, ZipFile& zip)
      : bytes_(std::move(bytes)), tensors_(zip), most_values_(kValues + zip.size() / kBytesPerValue) {}

  PythonValue read() {
    for (;;) {
      const auto opcode = static_cast<unsigned char>(take(1)[0]);
      if (opcode == '.') return pop();
      step(opcode);
    }
  }

 private:
  static constexpr int kDeepest = 100;
  // Memory is counted in plain values, which take up to 48 bytes each while the stack grows. A file of some bytes may
  // need many of them, so that the limit grows slowly with its size: a tensor needs about 60, with its name.
  static constexpr std::uint64_t kValues = 1'500'000, kBytesPerValue = 64;
  static constexpr std::uint64_t kContainer = 3, kText = 3, kMemo = 2, kTensor = 10;
  static constexpr std::size_t kLongestName = 1000;  // of a class

  void step(unsigned char opcode) {
    switch (opcode) {
      case 0x80:
        take(1);
        return;  // PROTO
      case 0x95:
        take(8);
        return;  // FRAME
      case '(':
        count_values(1);
        marks_.push_back(stack_.size());
        return;
      case '0':
        pop();
        return;
      case '}':
        push_new<PythonDict>();
        return;
      case ']':
      case ')':
        push_new<PythonList>();
        return;
      case 't':
      case 'l':
        push_list(to_mark());
        return;
      case 0x85:
      case 0x86:
      case 0x87:
        tuple(opcode - 0x84U);
        return;
      case 'a': {
        auto item = pop();
        append(top<PythonList>(), std::move(item));
        return;
      }
      case 'e': {
        auto items = to_mark();
        for (auto& item : items) append(top<PythonList>(), std::move(item));
        return;
      }
      case 's': {
        auto item = pop();
        auto key = pop();
        set(std::move(key), std::move(item));
        return;
      }
      case 'u':
        set_items(to_mark());
        return;
      case 'd': {
        auto items = to_mark();
        push_new<PythonDict>();
        set_items(std::move(items));
        return;
      }
      case 'N':
        push({});
        return;
      case 0x88:
        push(true);
        return;
      case 0x89:
        push(false);
        return;
      case 'J':
        push(std::int64_t{number<std::int32_t>()});
        return;
      case 'K':
        push(std::int64_t{number<std::uint8_t>()});
        return;
      case 'M':
        push(std::int64_t{number<std::uint16_t>()});
        return;
      case 0x8a:
        long_integer();
        return;
      case 'G':
        real();
        return;
      case 'X':
        push_text(take(number<std::uint32_t>()));
        return;
      case 0x8c:
      case 'U':
        push_text(take(number<std::uint8_t>()));
        return;
      case 'q':
        remember(number<std::uint8_t>());
        return;
      case 'r':
        remember(number<std::uint32_t>());
        return;
      case 0x94:
        remember(memo_.size());
        return;
      case 'h':
        recall(number<std::uint8_t>());
        return;
      case 'j':
        recall(number<std::uint32_t>());
        return;
      case 'c': {
        const auto module = line(), name = line();
        push_class(module, name);
        return;
      }
      case 0x93:
        stack_global();
        return;
      case 'R':
      case 0x81:
        call();
        return;  // REDUCE, NEWOBJ
      case 'b':
        pop();
        return;  // BUILD: attributes, such as a state dict's _metadata
      case 'Q':
        push(tensors_.storage(pop()));
        return;
      default:
        throw std::runtime_error("contains something that weights do not need (pickle opcode " +
                                 std::to_string(opcode) + ")");
    }
  }

  std::string_view take(std::size_t count) {
    if (count > bytes_.size() - at_) throw std::runtime_error("is damaged: its pickle ends in the middle");
    const std::string_view part(bytes_.data() + at_, count);
    at_ += count;
    return part;
  }
  template <class T>
  T number() {
    T value;
    std::memcpy(&value, take(sizeof value).data(), sizeof value);
    return value;
  }
  std::string line() {
    const auto end = bytes_.find('\n', at_);
    if (end == std::string::npos) throw std::runtime_error("is damaged: its pickle ends in the middle");
    std::string text(take(end - at_));
    take(1);
    return text;
  }
  void long_integer() {
    const auto text = take(number<std::uint8_t>());
    if (text.size() > 8) throw std::runtime_error("contains an integer of more than 64 bits");
    std::uint64_t value = !text.empty() && (text.back() & 0x80) ? ~std::uint64_t{0} : 0;
    for (std::size_t i = text.size(); i-- > 0;) value = value << 8 | static_cast<unsigned char>(text[i]);
    push(static_cast<std::int64_t>(value));
  }
  void real() {
    const auto text = take(8);
    std::uint64_t bits = 0;
    for (const char c : text) bits = bits << 8 | static_cast<unsigned char>(c);
    double value;
    std::memcpy(&value, &bits, sizeof value);
    push(value);
  }

  void count_values(std::uint64_t count) {
    values_ += count;
    if (values_ > most_values_)
      throw std::runtime_error("has more than " + std::to_string(most_values_) +
                               " values, which a network of its size does not need");
  }
  [[noreturn]] static void malformed() { throw std::runtime_error("is damaged: its pickle is not well formed"); }

  void push(PythonValue value) {
    count_values(1);
    stack_.push_back(std::move(value));
  }
  void push_text(std::string_view text) {
    count_values(kText - 1);
    push(std::string(text));
  }
  template <class Items>
  void push_new() {
    count_values(kContainer);
    stack_.emplace_back().held = std::shared_ptr<Items>(std::make_shared<Built<Items>>());
  }
  void push_object(PythonText name) {
    count_values(1);
    stack_.emplace_back().held = PythonObject{std::move(name)};
  }
  void push_class(const std::string& module, const std::string& name) {
    if (module.size() + name.size() > kLongestName) malformed();
    count_values(kText);
    push_object(std::make_shared<const std::string>(module + "." + name));
  }
  void push_list(PythonList items) {
    push_new<PythonList>();
    auto& into = top<PythonList>();
    for (const auto& item : items) place(item, into);
    static_cast<PythonList&>(into) = std::move(items);
  }
  PythonValue pop() {
    if (stack_.size() == (marks_.empty() ? 0 : marks_.back())) malformed();
    auto value = std::move(stack_.back());
    stack_.pop_back();
    return value;
  }
  PythonList to_mark() {
    if (marks_.empty()) malformed();
    const auto first = stack_.begin() + static_cast<std::ptrdiff_t>(marks_.back());
    PythonList items(std::make_move_iterator(first), std::make_move_iterator(stack_.end()));
    stack_.erase(first, stack_.end());
    marks_.pop_back();
    return items;
  }
  void tuple(std::size_t count) {
    PythonList items(count);
    for (std::size_t i = count; i-- > 0;) items[i] = pop();
    push_list(std::move(items));
  }

  // Every list and dict on the stack was made by push_new.
  template <class Items>
  static Built<Items>* built(const PythonValue& value) {
    const auto* held = value.as<std::shared_ptr<Items>>();
    return held ? static_cast<Built<Items>*>(held->get()) : nullptr;
  }
  template <class Items>
  Built<Items>& top() {
    auto* items = stack_.empty() ? nullptr : built<Items>(stack_.back());
    if (!items) malformed();
    return *items;
  }
  template <class Items>
  static void place(const PythonValue& item, Built<Items>& into) {
    const auto put = [&](auto* inner) {
      if (!inner) return;
      inner->placed = true;
      into.depth = std::max(into.depth, inner->depth + 1);
    };
    put(built<PythonList>(item)), put(built<PythonDict>(item));
    if (into.placed) throw std::runtime_error("changes a list or dict that is inside another one, or itself");
    if (into.depth > kDeepest) throw std::runtime_error("is nested more than " + std::to_string(kDeepest) + " deep");
  }
  static void append(Built<PythonList>& into, PythonValue item) {
    place(item, into);
    into.push_back(std::move(item));
  }
  void set(PythonValue key, PythonValue item) {
    if (!stack_.empty() && stack_.back().as<PythonObject>()) return;  // of an unknown class
    auto& into = top<PythonDict>();
    place(key, into), place(item, into);
    into.emplace_back(std::move(key), std::move(item));
  }
  void set_items(PythonList items) {
    if (items.size() % 2) malformed();
    for (std::size_t i = 0; i < items.size(); i += 2) set(std::move(items[i]), std::move(items[i + 1]));
  }
  void remember(std::size_t key) {
    if (stack_.empty()) malformed();
    count_values(kMemo);
    memo_[key] = stack_.back();
  }
  void recall(std::size_t key) {
    const auto found = memo_.find(key);
    if (found == memo_.end()) malformed();
    push(found->second);
  }
  void stack_global() {
    const auto name = pop(), module = pop();
    if (!name.as<std::string>() || !module.as<std::string>()) malformed();
    push_class(*module.as<std::string>(), *name.as<std::string>());
  }

  void call() {
    const auto arguments = pop();
    const auto function = pop();
    const auto* object = function.as<PythonObject>();
    if (!object || !arguments.list()) malformed();
    const auto& name = *object->name;
    if (name == "collections.OrderedDict" || name == "builtins.dict") return push_new<PythonDict>();
    if (name == "torch._utils._rebuild_tensor_v2") {
      count_values(kTensor);
      return push(StoredTensors::tensor(*arguments.list()));
    }
    if (name == "torch._utils._rebuild_parameter" && !arguments.list()->empty()) return push(arguments.list()->front());
    push_object(object->name);
  }

  const std::string bytes_;
  std::size_t at_ = 0;
  StoredTensors tensors_;
  const std::uint64_t most_values_;
  std::uint64_t values_ = 0;
  std::vector<PythonValue> stack_;
  std::vector<std::size_t> marks_;  // sizes of the stack
  std::unordered_map<std::size_t, PythonValue> memo_;
};

}  // namespace

PythonValue read_torch_file(const fs::path& file) {
  refuse_other_formats(file);
  try {
    ZipFile zip(file);
    if (zip.has("constants.pkl"))
      throw std::runtime_error(
          "is a TorchScript archive; save its weights in Python: "
          R"(torch.save(torch.jit.load("old.pt").state_dict(), "new.pth"))");
    if (!zip.has("data.pkl"))
      throw std::runtime_error("is a zip archive, and not one of torch.save: it has no data.pkl");
    if (zip.has("byteorder") && zip.size_of("byteorder") < 8 && zip.read("byteorder") != "little")
      throw std::runtime_error("was saved by a machine with another byte order");
    return PickleReader(zip.read("data.pkl"), zip).read();
  } catch (const std::exception& error) {  // LibTorch's exceptions have a backtrace from the second line
    const std::string text = error.what();
    throw DataError(file, text.substr(0, text.find('\n')));
  }
}

}  // namespace sectile
