#include "pickle_bytes.h"

namespace sectile {
namespace {

// What follows an opcode; the lengths are those of Python's pickletools.py.
void skip_argument(PickleBytes& pickle, unsigned char opcode) {
  switch (opcode) {
    case 0x80:
    case 'K':
    case 'q':
      pickle.take(1);
      return;
    case 'M':
      pickle.take(2);
      return;
    case 'J':
    case 'r':
      pickle.take(4);
      return;
    case 'G':
    case 0x95:
      pickle.take(8);
      return;
    case 0x8a:
    case 0x8c:
    case 'U':
    case 'C':
      pickle.take(pickle.number<std::uint8_t>());
      return;
    case 0x8b:
    case 'X':
    case 'B':
    case 'T':
      pickle.take(pickle.number<std::uint32_t>());
      return;
    case 0x8d:
    case 0x8e:
    case 0x96:
      pickle.take(pickle.number<std::uint64_t>());
      return;
    case 'c':
    case 'i':
      pickle.line(), pickle.line();
      return;
    default:
      return;
  }
}

}  // namespace

RecalledKeys::RecalledKeys(std::string_view bytes) : most_(bytes.size()) {
  PickleBytes pickle(bytes);
  const auto add = [&](std::size_t key) {
    if (key >= most_) return;
    if (key >= recalled_.size()) recalled_.resize(key + 1);
    recalled_[key] = true;
  };
  try {
    for (;;) {
      const auto opcode = pickle.number<unsigned char>();
      if (opcode == '.') return;
      if (opcode == 'h')
        add(pickle.number<std::uint8_t>());
      else if (opcode == 'j')
        add(pickle.number<std::uint32_t>());
      else
        skip_argument(pickle, opcode);
    }
  } catch (const std::runtime_error&) {  // cut short, which is said where it is read
  }
}

}  // namespace sectile
