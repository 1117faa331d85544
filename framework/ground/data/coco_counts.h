// COCO's compressed run lengths (cocodataset/cocoapi, common/maskApi.c: rleFrString), read one by one.
#pragma once

#include <cstdint>
#include <cstdio>
#include <string>
#include <string_view>

#include <opencv2/core/types.hpp>

#include <sectile/error.h>

namespace sectile {

inline std::int64_t pixels_of(const cv::Size& size) { return std::int64_t{size.width} * size.height; }

inline std::string text_of(double number) {  // short: files have 1e300
  char text[32];
  std::snprintf(text, sizeof text, "%.10g", number);
  return text;
}

inline std::string text_of(const cv::Size& size) {
  return std::to_string(size.height) + " x " + std::to_string(size.width) + " (height x width)";
}

// Run lengths are the size's, which must have fewer than 2^32 pixels.
inline void demand_covered(std::int64_t covered, const cv::Size& size) {
  if (size.width < 0 || size.height < 0 || pixels_of(size) > 0xffffffff)
    throw DataError("mask", "is of an image of " + text_of(size) + "; masks have less than 2^32 pixels");
  if (covered != pixels_of(size))
    throw DataError(
        "mask", "has run lengths of " + std::to_string(covered) + " pixels, and is of an image of " + text_of(size));
}

// Numbers are in groups of five bits with a sign; those from the fourth on are differences to the one two before.
// Throws DataError for other characters, numbers that end too early or are negative, and sums other than the size.
template <class Use>
void for_each_count(std::string_view text, const cv::Size& size, const Use& use) {
  constexpr int kGroup = 5, kMostGroups = 7;  // of 32 bits and a sign
  constexpr unsigned kFirstCharacter = 48, kLow = 31, kSign = 16, kMore = 32, kCharacters = 64;
  const std::int64_t pixels = pixels_of(size);
  std::int64_t before = 0, before_last = 0, covered = 0;
  int index = 0;
  const auto* at = text.data();
  const auto* const end = at + text.size();
  const auto fails = [&](const char* what) {
    throw DataError("mask", std::string("has compressed run lengths that ") + what + ", at character " +
                                std::to_string(at - text.data()));
  };
  while (at != end) {
    std::int64_t number = 0;
    for (int shift = 0;; shift += kGroup) {
      if (at == end) fails("end within a number");
      if (shift == kGroup * kMostGroups) fails("contain a number of more than 32 bits");
      const unsigned bits = static_cast<unsigned char>(*at) - kFirstCharacter;
      if (bits >= kCharacters) fails("contain a character of another text");
      ++at;
      number |= std::int64_t{bits & kLow} << shift;
      if (bits & kMore) continue;
      if (bits & kSign) number -= std::int64_t{1} << (shift + kGroup);
      break;
    }
    if (index > 2) number += before_last;
    ++index;
    if (number < 0 || number > pixels)
      throw DataError("mask",
                      "has the run length " + std::to_string(number) + ", and is of an image of " + text_of(size));
    before_last = before;
    before = number;
    covered += number;
    use(static_cast<std::uint32_t>(number));
  }
  demand_covered(covered, size);
}

}  // namespace sectile
