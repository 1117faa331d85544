// What tests of masks and average precision share with the Python scripts beside them (shared.py).
#pragma once

#include <cstdint>
#include <cstdio>
#include <string>

namespace sectile::test::coco {

// xorshift64* (Vigna 2016, arXiv:1402.6246).
class Random {
 public:
  explicit Random(std::uint64_t seed) : state_(seed * 0x9E3779B97F4A7C15 + 1) {}
  int below(int count) {
    state_ ^= state_ >> 12;
    state_ ^= state_ << 25;
    state_ ^= state_ >> 27;
    return static_cast<int>(((state_ * 0x2545F4914F6CDD1D) >> 33) % static_cast<std::uint64_t>(count));
  }
  int between(int least, int most) { return least + below(most - least + 1); }

 private:
  std::uint64_t state_;
};

// FNV-1a of 64 bits.
class Digest {
 public:
  void add(const std::string& text) {
    for (const char byte : text) value_ = (value_ ^ static_cast<unsigned char>(byte)) * 0x100000001B3;
  }
  std::string hex() const {
    char text[17];
    std::snprintf(text, sizeof text, "%016llx", static_cast<unsigned long long>(value_));
    return text;
  }

 private:
  std::uint64_t value_ = 0xCBF29CE484222325;
};

}  // namespace sectile::test::coco
