// The bytes of a pickle, and which of its memo entries are recalled.
#pragma once

#include <cstdint>
#include <cstring>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

namespace sectile {

class PickleBytes {
 public:
  explicit PickleBytes(std::string_view bytes) : bytes_(bytes) {}

  std::size_t at() const { return at_; }
  // Throws std::runtime_error at the end of the bytes.
  std::string_view take(std::uint64_t count) {
    if (count > bytes_.size() - at_) cut_short();
    const auto part = bytes_.substr(at_, count);
    at_ += count;
    return part;
  }
  template <class T>
  T number() {
    T value;
    std::memcpy(&value, take(sizeof value).data(), sizeof value);
    return value;
  }
  std::string_view line() {
    const auto end = bytes_.find('\n', at_);
    if (end == std::string_view::npos) cut_short();
    const auto text = take(end - at_);
    take(1);
    return text;
  }

 private:
  [[noreturn]] static void cut_short() { throw std::runtime_error("is damaged: its pickle ends in the middle"); }

  std::string_view bytes_;
  std::size_t at_ = 0;
};

// Python's pickler remembers nearly every value, and recalls few: the others need not be kept.
class RecalledKeys {
 public:
  // Of the pickle at the beginning of the bytes.
  explicit RecalledKeys(std::string_view bytes);

  bool contains(std::size_t key) const { return key >= most_ || (key < recalled_.size() && recalled_[key]); }

 private:
  std::size_t most_;  // no pickle numbers its entries so high: such are not looked up
  std::vector<bool> recalled_;
};

}  // namespace sectile
