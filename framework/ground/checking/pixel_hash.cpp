#include "pixel_hash.h"

#include <cstring>

#include "../data/rows.h"

namespace sectile {
namespace {

__extension__ using Wide = unsigned __int128;

// Both halves of a product of 128 bits: the mixing step of wyhash (Wang Yi, public domain).
std::uint64_t folded(std::uint64_t a, std::uint64_t b) {
  const auto product = Wide{a} * b;
  return static_cast<std::uint64_t>(product) ^ static_cast<std::uint64_t>(product >> 64);
}

class Mixer {
 public:
  void add(std::uint64_t word) {
    low_ = folded(low_ ^ word ^ 0xa0761d6478bd642fu, 0xe7037ed1a0b428dbu);
    high_ = folded(high_ + word, 0x8ebc6af09c88c6e3u) ^ word;
  }
  PixelHash hash() const { return {folded(low_ ^ high_, 0x589965cc75374cc3u), folded(high_, low_ | 1)}; }

 private:
  std::uint64_t low_ = 0x1d8e4e27c47d124fu, high_ = 0xeb44accab455d165u;
};

}  // namespace

PixelHash hash_of(const cv::Mat& image) {
  Mixer mixer;
  mixer.add(static_cast<std::uint64_t>(image.type()));
  for (int i = 0; i < image.dims; ++i) mixer.add(static_cast<std::uint64_t>(image.size[i]));
  each_row<std::uint8_t>(image, [&](const std::uint8_t* row, std::size_t count) {
    std::size_t at = 0;
    std::uint64_t word = 0;
    for (; at + sizeof word <= count; at += sizeof word) {
      std::memcpy(&word, row + at, sizeof word);
      mixer.add(word);
    }
    word = 0;
    std::memcpy(&word, row + at, count - at);
    if (at < count) mixer.add(word);
  });
  return mixer.hash();
}

bool is_constant(const cv::Mat& image) {
  const auto size = image.elemSize();
  bool constant = true;
  each_row<std::uint8_t>(image, [&](const std::uint8_t* row, std::size_t count) {
    for (std::size_t at = 0; constant && at < count; at += size)
      constant = std::memcmp(row + at, image.data, size) == 0;
  });
  return constant;
}

}  // namespace sectile
