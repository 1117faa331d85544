#include "pickle_reader.h"

#include <cstring>
#include <stdexcept>
#include <utility>

#include "pickle_bytes.h"
#include "pickle_stack.h"

namespace sectile {
namespace {

class PickleReader : PickleStack, PickleBytes {
 public:
  PickleReader(std::string_view bytes, std::uint64_t file_size, const Persistent& persistent)
      : PickleStack(file_size, RecalledKeys(bytes)),
        PickleBytes(bytes),
        is_old_(!bytes.starts_with('\x80')),
        persistent_(persistent) {}

  Unpickled read() {
    for (;;) {
      const auto opcode = static_cast<unsigned char>(take(1)[0]);
      if (opcode == '.') return {pop(), at(), std::move(not_called_)};
      step(opcode);
    }
  }

 private:
  void step(unsigned char opcode) {
    switch (opcode) {
      case 0x80:
        take(1);
        return;  // PROTO
      case 0x95:
        take(8);
        return;  // FRAME
      case '(':
        mark();
        return;
      case '0':
        pop();
        return;
      case '1':
        to_mark();
        return;
      case '2': {
        auto copy = pop();
        push(copy), push(std::move(copy));
        return;
      }
      case '}':
        push_dict();
        return;
      case ']':
      case ')':
      case 0x8f:
        push_list({});
        return;
      case 't':
      case 'l':
      case 0x91:
        push_list(to_mark());
        return;
      case 0x85:
      case 0x86:
      case 0x87:
        tuple(opcode - 0x84U);
        return;
      case 'a':
        append_items({pop()});
        return;
      case 'e':
      case 0x90:
        append_items(to_mark());
        return;
      case 's': {
        auto item = pop();
        auto key = pop();
        set_items({std::move(key), std::move(item)});
        return;
      }
      case 'u':
        set_items(to_mark());
        return;
      case 'd': {
        auto items = to_mark();
        push_dict();
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
        long_integer(number<std::uint8_t>());
        return;
      case 0x8b:
        long_integer(number<std::uint32_t>());
        return;
      case 'G':
        real();
        return;
      case 'X':
      case 'B':
      case 'T':
        push_text(take(number<std::uint32_t>()));
        return;
      case 0x8c:
      case 'U':
      case 'C':
        push_text(take(number<std::uint8_t>()));
        return;
      case 0x8d:
      case 0x8e:
      case 0x96:
        push_text(take(number<std::uint64_t>()));
        return;
      case 'q':
        remember_as(number<std::uint8_t>());
        return;
      case 'r':
        remember_as(number<std::uint32_t>());
        return;
      case 0x94:
        remember_next();
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
      case 'i': {
        const auto module = line(), name = line();
        auto arguments = to_mark();
        push_class(module, name);
        push_list(std::move(arguments));
        call();
        return;
      }
      case 'o': {
        auto items = to_mark();
        if (items.empty()) malformed();
        push(items.front());
        items.erase(items.begin());
        push_list(std::move(items));
        call();
        return;
      }
      case 0x93:
        stack_global();
        return;
      case 'R':
      case 0x81:
        call();
        return;  // REDUCE, NEWOBJ
      case 0x92:
        pop();
        call();
        return;  // NEWOBJ_EX, whose named arguments no class of torch needs
      case 'b':
        build(pop());
        return;
      case 'Q': {
        auto id = pop();
        push(persistent_(id));
        forget(std::move(id));
        return;
      }
      default:
        if (is_old_) throw std::runtime_error("was pickled by protocol 0 or 1; save it again by another one");
        throw std::runtime_error("contains something that weights do not need (pickle opcode " +
                                 std::to_string(opcode) + ")");
    }
  }

  void long_integer(std::size_t size) {
    const auto text = take(size);
    if (text.size() > sizeof(std::int64_t)) return push(rounded(text));
    std::uint64_t value = !text.empty() && (text.back() & 0x80) ? ~std::uint64_t{0} : 0;
    for (std::size_t i = text.size(); i-- > 0;) value = value << 8 | static_cast<unsigned char>(text[i]);
    push(static_cast<std::int64_t>(value));
  }
  // Of a seed, for example: nothing that weights need is as large.
  static double rounded(std::string_view integer) {
    double value = integer.back() & 0x80 ? -1 : 0;
    for (std::size_t i = integer.size(); i-- > 0;) value = value * 256 + static_cast<unsigned char>(integer[i]);
    return value;
  }
  void real() {
    const auto text = take(8);
    std::uint64_t bits = 0;
    for (const char c : text) bits = bits << 8 | static_cast<unsigned char>(c);
    double value;
    std::memcpy(&value, &bits, sizeof value);
    push(value);
  }

  void push_class(std::string_view module, std::string_view name) {
    constexpr std::size_t kLongestName = 1000;
    if (module.size() + name.size() > kLongestName) malformed();
    std::string whole;
    whole.reserve(module.size() + 1 + name.size());
    push_object(whole.append(module).append(1, '.').append(name), false);
  }
  void stack_global() {
    const auto name = pop(), module = pop();
    if (!name.as<std::string>() || !module.as<std::string>()) malformed();
    push_class(*module.as<std::string>(), *name.as<std::string>());
  }

  void call() {
    auto arguments = pop();
    auto function = pop();
    const auto* object = function.object();
    if (!object || !arguments.list()) malformed();
    if (!object->instance)
      if (const auto result =
              call_known(object->name, *arguments.list(), [this](auto count) { count_values(count); })) {
        push_made(object->name, *result);
        forget(std::move(arguments));
        forget(std::move(function));
        return;
      }
    if (not_called_.insert(object->name).second) count_values(kObject + object->name.size() / kBytesOfValue);
    push_object(object->name, true);
    set_arguments(*arguments.list());
  }

  const bool is_old_;  // protocol 0 or 1, which have other opcodes for many values
  const Persistent& persistent_;
  std::set<std::string> not_called_;
};

}  // namespace

Unpickled read_pickle(std::string_view bytes, std::uint64_t file_size, const Persistent& persistent) {
  return PickleReader(bytes, file_size, persistent).read();
}

}  // namespace sectile
