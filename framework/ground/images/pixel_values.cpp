#include <sectile/transforms/pixel_values.h>

#include <algorithm>
#include <limits>
#include <sstream>
#include <string>

#if defined(__x86_64__)
#include <immintrin.h>
#endif

#include <opencv2/imgproc.hpp>

#include <sectile/error.h>

namespace sectile {
namespace {

void replace_one_by_one(const std::uint8_t* from, std::uint8_t* to, std::size_t count, const std::uint8_t* table) {
  for (std::size_t i = 0; i < count; ++i) to[i] = table[from[i]];
}

#if defined(__x86_64__)
// 16 parts of the table, each for values with the same upper half. What belongs to another part is 0: after an addition
// that stops at 255, exactly 0 to 15 have the upper bit unset.
__attribute__((target("avx2"))) void replace_32(const std::uint8_t* from, std::uint8_t* to, std::size_t count,
                                                const std::uint8_t* table) {
  constexpr std::size_t kParts = 16, kWidth = 32;
  __m256i parts[kParts];
  for (std::size_t part = 0; part < kParts; ++part)
    parts[part] = _mm256_broadcastsi128_si256(_mm_loadu_si128(reinterpret_cast<const __m128i*>(table + part * kParts)));
  const __m256i length = _mm256_set1_epi8(kParts), to_upper_bit = _mm256_set1_epi8(0x70);
  std::size_t i = 0;
  for (; i + kWidth <= count; i += kWidth) {
    __m256i value = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(from + i)), found = _mm256_setzero_si256();
    for (const __m256i& part : parts) {
      found = _mm256_or_si256(found, _mm256_shuffle_epi8(part, _mm256_adds_epu8(value, to_upper_bit)));
      value = _mm256_sub_epi8(value, length);
    }
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(to + i), found);
  }
  replace_one_by_one(from + i, to + i, count - i, table);
}

// Two halves of the table, of 128 entries each.
__attribute__((target("avx512f,avx512bw,avx512vbmi"))) void replace_64(const std::uint8_t* from, std::uint8_t* to,
                                                                       std::size_t count, const std::uint8_t* table) {
  constexpr std::size_t kWidth = 64;
  const __m512i a = _mm512_loadu_si512(table), b = _mm512_loadu_si512(table + kWidth),
                c = _mm512_loadu_si512(table + 2 * kWidth), d = _mm512_loadu_si512(table + 3 * kWidth);
  std::size_t i = 0;
  for (; i + kWidth <= count; i += kWidth) {
    const __m512i value = _mm512_loadu_si512(from + i);
    const __m512i lower = _mm512_permutex2var_epi8(a, value, b), upper = _mm512_permutex2var_epi8(c, value, d);
    _mm512_storeu_si512(to + i, _mm512_mask_blend_epi8(_mm512_movepi8_mask(value), lower, upper));
  }
  replace_one_by_one(from + i, to + i, count - i, table);
}
#endif

auto best_replace() {
#if defined(__x86_64__)
  if (__builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vbmi")) return replace_64;
  if (__builtin_cpu_supports("avx2")) return replace_32;
#endif
  return replace_one_by_one;
}

// What other transforms did to values from 0 to 1 is let through; 0 to 255 or Hounsfield units would be clipped, or
// changed by so little that nothing is to be seen.
void demand_unit_range(const Sample& sample, const char* transform) {
  constexpr double kFarOutside = 16;
  if (cv::checkRange(sample.image, true, nullptr, -kFarOutside, kFarOutside)) return;
  float smallest = std::numeric_limits<float>::infinity(), largest = -smallest;
  const cv::Mat whole = sample.image.isContinuous() ? sample.image : sample.image.clone();
  const auto* value = whole.ptr<float>();
  for (std::size_t i = 0; i < whole.total() * static_cast<std::size_t>(whole.channels()); ++i) {
    smallest = std::min(smallest, value[i]);  // which leave NaN out
    largest = std::max(largest, value[i]);
  }
  if (smallest >= -kFarOutside && largest < kFarOutside) return;
  std::ostringstream found;
  found << "has float values from " << smallest << " to " << largest;
  throw DataError(sample.id, found.str().append("; ").append(transform).append(
                                 " takes 0 as black and 1 as white: scale the values in the file, or remove "
                                 "the transform"));
}

}  // namespace

double largest_value(const Sample& sample, const char* transform) {
  switch (sample.image.depth()) {
    case CV_8U:
      return 255;
    case CV_16U:
      return 65535;
    case CV_32F:
      demand_unit_range(sample, transform);
      return 1;
    default:
      throw DataError(sample.id, std::string(transform) + " knows no largest value of an image of " +
                                     cv::typeToString(sample.image.type()) + ": expected 8U, 16U or 32F");
  }
}

void demand_rgb(const Sample& sample, const char* transform) {
  constexpr int kColors = 3;
  if (sample.image.channels() == kColors) return;
  throw DataError(sample.id, "has " + std::to_string(sample.image.channels()) + " channels; " + transform +
                                 " expected the three of a color image: remove the transform, or select channels");
}

cv::Mat flat_values(const cv::Mat& image) {
  return {1, static_cast<int>(image.total()) * image.channels(), image.depth(), image.data};
}

cv::Mat as_plane(const cv::Mat& image) {
  if (image.dims == 2) return image;
  const cv::Mat whole = image.isContinuous() ? image : image.clone();
  const int sizes[] = {whole.size[0] * whole.size[1], whole.size[2]};
  return whole.reshape(0, 2, sizes);
}

cv::Mat looked_up(const cv::Mat& image, const std::vector<std::uint8_t>& table) {
  constexpr std::size_t kValues = 256;
  CV_Assert((image.depth() == CV_8U || image.empty()) && table.size() == kValues);
  return pixel_values::by_runs<std::uint8_t>(image, [&](const std::uint8_t* from, std::uint8_t* to, std::size_t count) {
    best_replace()(from, to, count, table.data());
  });
}

void change_hsv(const cv::Mat& from, cv::Mat to, const HsvChange& change, double white) {
  constexpr float kTurn = 360;
  cv::Mat scaled, hsv;  // OpenCV's: hue in degrees, saturation 0 to 1, value as the pixels
  from.convertTo(scaled, CV_32F, 1 / white);
  cv::cvtColor(scaled, hsv, cv::COLOR_RGB2HSV);
  for (int y = 0; y < hsv.rows; ++y) {
    auto* pixel = hsv.ptr<cv::Vec3f>(y);
    for (int x = 0; x < hsv.cols; ++x) {
      auto& [hue, saturation, value] = pixel[x].val;
      hue += change.hue_shift;
      if (hue < 0) hue += kTurn;
      if (hue >= kTurn) hue -= kTurn;
      if (saturation > 0)
        saturation = std::clamp(saturation * change.saturation_factor + change.saturation_shift, 0.f, 1.f);
      value = std::max(value + change.value_shift, 0.f);
    }
  }
  cv::cvtColor(hsv, scaled, cv::COLOR_HSV2RGB);
  scaled.convertTo(to, to.depth(), white);
}

}  // namespace sectile
