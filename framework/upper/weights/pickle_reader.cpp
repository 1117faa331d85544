// A restricted unpickler over the zip container of torch.save: a stack machine that supports tensors, containers and
// plain values, and keeps only the name of any other class.
#include <cstring>
#include <map>
#include <unordered_map>

#include <ATen/Functions.h>
#include <caffe2/serialize/inline_container.h>

#include <sectile/error.h>

#include "torch_file.h"

namespace sectile {
namespace {

namespace fs = std::filesystem;

at::ScalarType storage_type(const std::string& name) {
  static const std::map<std::string, at::ScalarType> types{
      {"torch.FloatStorage", at::kFloat},       {"torch.DoubleStorage", at::kDouble}, {"torch.HalfStorage", at::kHalf},
      {"torch.BFloat16Storage", at::kBFloat16}, {"torch.LongStorage", at::kLong},     {"torch.IntStorage", at::kInt},
      {"torch.ShortStorage", at::kShort},       {"torch.CharStorage", at::kChar},     {"torch.ByteStorage", at::kByte},
      {"torch.BoolStorage", at::kBool}};
  const auto found = types.find(name);
  if (found == types.end()) throw std::runtime_error("unknown storage type " + name);
  return found->second;
}

class PickleReader {
 public:
  PickleReader(std::string bytes, caffe2::serialize::PyTorchStreamReader& zip) : bytes_(std::move(bytes)), zip_(zip) {}

  PythonValue read() {
    for (;;) {
      const auto opcode = static_cast<unsigned char>(take(1)[0]);
      if (opcode == '.') return pop();
      step(opcode);
    }
  }

 private:
  static constexpr const char* kMark = "\x01mark";  // a class name that cannot occur in a file

  void step(unsigned char opcode) {
    switch (opcode) {
      case 0x80:
        take(1);
        return;  // PROTO
      case 0x95:
        take(8);
        return;  // FRAME
      case '(':
        stack_.emplace_back(), stack_.back().held = PythonObject{kMark};
        return;
      case '0':
        pop();
        return;
      case '}':
        push(PythonDict{});
        return;
      case ']':
      case ')':
        push(PythonList{});
        return;
      case 't':
        push(to_mark());
        return;
      case 'l':
        push(to_mark());
        return;
      case 0x85:
        tuple(1);
        return;
      case 0x86:
        tuple(2);
        return;
      case 0x87:
        tuple(3);
        return;
      case 'a': {
        auto item = pop();
        list().push_back(std::move(item));
        return;
      }
      case 'e': {
        auto items = to_mark();
        auto& into = list();
        for (auto& item : items) into.push_back(std::move(item));
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
        push(PythonDict{});
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
        push(std::string(take(number<std::uint32_t>())));
        return;
      case 0x8c:
        push(std::string(take(number<std::uint8_t>())));
        return;
      case 'U':
        push(std::string(take(number<std::uint8_t>())));
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
        stack_.emplace_back(), stack_.back().held = PythonObject{module + "." + name};
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
        push(storage(pop()));
        return;
      default:
        throw std::runtime_error("contains something that weights do not need (pickle opcode " +
                                 std::to_string(opcode) + ")");
    }
  }

  std::string_view take(std::size_t count) {
    if (count > bytes_.size() - at_) throw std::runtime_error("ends in the middle");
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
    if (end == std::string::npos) throw std::runtime_error("ends in the middle");
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

  void push(PythonValue value) { stack_.push_back(std::move(value)); }
  PythonValue pop() {
    if (stack_.empty() || is_mark(stack_.back())) throw std::runtime_error("is not well formed");
    auto value = std::move(stack_.back());
    stack_.pop_back();
    return value;
  }
  static bool is_mark(const PythonValue& value) {
    const auto* object = value.as<PythonObject>();
    return object && object->name == kMark;
  }
  PythonList to_mark() {
    PythonList items;
    while (!stack_.empty() && !is_mark(stack_.back())) items.push_back(pop());
    if (stack_.empty()) throw std::runtime_error("is not well formed");
    stack_.pop_back();
    return {items.rbegin(), items.rend()};
  }
  void tuple(std::size_t count) {
    PythonList items(count);
    for (std::size_t i = count; i-- > 0;) items[i] = pop();
    push(std::move(items));
  }
  PythonList& list() {
    if (!stack_.empty())
      if (const auto* held = stack_.back().as<std::shared_ptr<PythonList>>()) return **held;
    throw std::runtime_error("is not well formed");
  }
  void set(PythonValue key, PythonValue item) {
    if (stack_.empty()) throw std::runtime_error("is not well formed");
    if (const auto* held = stack_.back().as<std::shared_ptr<PythonDict>>())
      (*held)->emplace_back(std::move(key), std::move(item));
    else if (!stack_.back().as<PythonObject>())
      throw std::runtime_error("is not well formed");
  }
  void set_items(PythonList items) {
    if (items.size() % 2) throw std::runtime_error("is not well formed");
    for (std::size_t i = 0; i < items.size(); i += 2) set(std::move(items[i]), std::move(items[i + 1]));
  }
  void remember(std::size_t key) {
    if (stack_.empty()) throw std::runtime_error("is not well formed");
    memo_[key] = stack_.back();
  }
  void recall(std::size_t key) {
    const auto found = memo_.find(key);
    if (found == memo_.end()) throw std::runtime_error("is not well formed");
    push(found->second);
  }
  void stack_global() {
    const auto name = pop(), module = pop();
    if (!name.as<std::string>() || !module.as<std::string>()) throw std::runtime_error("is not well formed");
    stack_.emplace_back();
    stack_.back().held = PythonObject{*module.as<std::string>() + "." + *name.as<std::string>()};
  }

  void call() {
    const auto arguments = pop();
    const auto function = pop();
    const auto* object = function.as<PythonObject>();
    if (!object || !arguments.list()) throw std::runtime_error("is not well formed");
    if (object->name == "collections.OrderedDict" || object->name == "builtins.dict") return push(PythonDict{});
    if (object->name == "torch._utils._rebuild_tensor_v2") return push(tensor(*arguments.list()));
    if (object->name == "torch._utils._rebuild_parameter" && !arguments.list()->empty())
      return push(arguments.list()->front());
    stack_.emplace_back();
    stack_.back().held = PythonObject{object->name};
  }

  // ("storage", type, key, location, numel) → all of it as a flat tensor, read once.
  PythonValue storage(const PythonValue& identity) {
    const auto* parts = identity.list();
    if (!parts || parts->size() < 5) throw std::runtime_error("is not well formed");
    const auto* type = (*parts)[1].as<PythonObject>();
    const auto* key = (*parts)[2].as<std::string>();
    const auto* count = (*parts)[4].as<std::int64_t>();
    if (!type || !key || !count) throw std::runtime_error("is not well formed");
    auto& known = storages_[*key];
    if (!known.defined()) {
      const auto record = "data/" + *key;
      const auto scalar = storage_type(type->name);
      const auto size = zip_.hasRecord(record) ? zip_.getRecordSize(record) : 0;
      if (*count < 0 || size / c10::elementSize(scalar) != static_cast<std::size_t>(*count) ||
          size % c10::elementSize(scalar))
        throw std::runtime_error("record " + record + " has " + std::to_string(size) + " bytes, where " +
                                 std::to_string(*count) + " values are stated");
      known = at::empty({*count}, at::dtype(scalar));
      if (size > 0) zip_.getRecord(record, known.mutable_data_ptr(), size);
    }
    return known;
  }

  static std::vector<std::int64_t> integers(const PythonValue& value) {
    const auto* items = value.list();
    if (!items) throw std::runtime_error("is not well formed");
    std::vector<std::int64_t> result;
    for (const auto& item : *items) {
      const auto* integer = item.as<std::int64_t>();
      if (!integer || *integer < 0) throw std::runtime_error("is not well formed");
      result.push_back(*integer);
    }
    return result;
  }

  // (storage, offset, size, stride, …) → a view, after checking that it is inside the storage.
  static at::Tensor tensor(const PythonList& arguments) {
    if (arguments.size() < 4) throw std::runtime_error("is not well formed");
    const auto* all = arguments[0].as<at::Tensor>();
    const auto* offset = arguments[1].as<std::int64_t>();
    if (!all || !offset || *offset < 0) throw std::runtime_error("is not well formed");
    const auto sizes = integers(arguments[2]), strides = integers(arguments[3]);
    if (sizes.size() != strides.size()) throw std::runtime_error("is not well formed");
    __int128 last = *offset;
    bool none = false;
    for (std::size_t i = 0; i < sizes.size(); ++i) {
      none = none || sizes[i] == 0;
      last += static_cast<__int128>(sizes[i] - 1) * strides[i];
    }
    if (!none && last >= all->numel()) throw std::runtime_error("a tensor reaches beyond its storage");
    return none ? at::empty(sizes, all->options()) : all->as_strided(sizes, strides, *offset);
  }

  const std::string bytes_;
  std::size_t at_ = 0;
  caffe2::serialize::PyTorchStreamReader& zip_;
  std::vector<PythonValue> stack_;
  std::unordered_map<std::size_t, PythonValue> memo_;
  std::map<std::string, at::Tensor> storages_;
};

std::string first_line(const std::string& text) { return text.substr(0, text.find('\n')); }

}  // namespace

PythonValue read_torch_file(const fs::path& file) {
  std::error_code missing;
  if (!fs::is_regular_file(file, missing)) throw DataError(file, "is not a file");
  try {
    caffe2::serialize::PyTorchStreamReader zip(file.string());
    if (!zip.hasRecord("data.pkl")) throw std::runtime_error("it has no record data.pkl, as TorchScript files do not");
    const auto size = zip.getRecordSize("data.pkl");
    std::string bytes(size, '\0');
    zip.getRecord("data.pkl", bytes.data(), size);
    return PickleReader(std::move(bytes), zip).read();
  } catch (const DataError&) {
    throw;
  } catch (const std::exception& error) {  // LibTorch's exceptions have a backtrace from the second line
    throw DataError(file, "is not a torch.save zip file, or is damaged: " + first_line(error.what()));
  }
}

}  // namespace sectile
