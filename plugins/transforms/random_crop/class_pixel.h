// A random pixel of a random class of a sample.
#pragma once

#include <algorithm>
#include <cstdint>
#include <map>
#include <optional>
#include <utility>
#include <vector>

#include <opencv2/core.hpp>

#include <sectile/random.h>
#include <sectile/sample.h>

#include "pixels.h"

namespace random_crop {

class ClassPixel {
 public:
  // classes: that are drawn; empty: all.
  explicit ClassPixel(std::vector<std::int64_t> classes) : classes_(std::move(classes)) {}

  // Each class of the sample is equally likely, and each pixel of the class; of objects without labels, first each
  // object. Nothing if the sample has none of the classes.
  std::optional<Position> draw(const sectile::Sample& sample, sectile::Random& random) const {
    if (!sample.labels.empty())
      return sample.labels.depth() == CV_32F ? of_overlapping(sample.labels, random)
                                             : of_numbers(sample.labels, random);
    return of_objects(sample, random);
  }

 private:
  bool counts(std::int64_t number) const {
    return classes_.empty() || std::find(classes_.begin(), classes_.end(), number) != classes_.end();
  }

  template <class Items>
  static const auto& any(const Items& items, sectile::Random& random) {
    return items[static_cast<std::size_t>(random.below(static_cast<std::int64_t>(items.size())))];
  }

  // The n-th pixel for which is_in(values) holds.
  template <class Value, class IsIn>
  static Position nth(const cv::Mat& map, std::int64_t n, const IsIn& is_in) {
    Position found{};
    each_pixel<Value>(map, [&](const Value* at, const Position& position) {
      if (!is_in(at) || n-- > 0) return false;
      found = position;
      return true;
    });
    return found;
  }

  std::optional<Position> of_numbers(const cv::Mat& labels, sectile::Random& random) const {
    std::map<int, std::int64_t> pixels;
    int last = sectile::kIgnore;  // adjacent pixels are mostly equal
    std::int64_t* of_last = nullptr;
    each_pixel<std::int16_t>(labels, [&](const std::int16_t* at, const Position&) {
      if (*at == sectile::kIgnore) return false;
      if (*at != last || !of_last) last = *at, of_last = &pixels[last];
      ++*of_last;
      return false;
    });
    std::erase_if(pixels, [&](const auto& one) { return !counts(one.first); });
    if (pixels.empty()) return {};
    const std::vector<std::pair<int, std::int64_t>> present(pixels.begin(), pixels.end());
    const auto& [number, count] = any(present, random);
    return nth<std::int16_t>(labels, random.below(count),
                             [wanted = number](const std::int16_t* at) { return *at == wanted; });
  }

  std::optional<Position> of_overlapping(const cv::Mat& labels, sectile::Random& random) const {
    std::vector<std::int64_t> pixels(static_cast<std::size_t>(labels.channels()));
    each_pixel<float>(labels, [&](const float* at, const Position&) {
      for (std::size_t c = 0; c < pixels.size(); ++c) pixels[c] += at[c] >= kInside;
      return false;
    });
    std::vector<std::size_t> present;
    for (std::size_t c = 0; c < pixels.size(); ++c)
      if (pixels[c] > 0 && counts(static_cast<std::int64_t>(c))) present.push_back(c);
    if (present.empty()) return {};
    const auto drawn = any(present, random);
    return nth<float>(labels, random.below(pixels[drawn]), [drawn](const float* at) { return at[drawn] >= kInside; });
  }

  std::optional<Position> of_objects(const sectile::Sample& sample, sectile::Random& random) const {
    std::map<int, std::vector<const sectile::Instance*>> objects;
    for (const auto& instance : sample.instances)
      if (!instance.crowd && counts(instance.category)) objects[instance.category].push_back(&instance);
    if (objects.empty()) return {};
    std::vector<int> present;
    for (const auto& [number, of_class] : objects) present.push_back(number);
    const auto& object = *any(objects.at(any(present, random)), random);
    if (object.mask.empty()) return within(object.box, sample, random);
    const auto bitmap = object.mask.bitmap();
    const auto is_in = [](const std::uint8_t* at) { return *at != 0; };
    std::int64_t count = 0;
    each_pixel<std::uint8_t>(bitmap,
                             [&](const std::uint8_t* at, const Position&) { return count += is_in(at), false; });
    if (count == 0) return {};
    return nth<std::uint8_t>(bitmap, random.below(count), is_in);
  }

  // A pixel of a box, in the middle slice of a volume.
  static Position within(const cv::Rect2f& box, const sectile::Sample& sample, sectile::Random& random) {
    const auto size = sectile::extent(sample.image);
    const auto at = [&](float from, float length, int most) {
      return std::clamp(static_cast<int>(from + random.uniform() * length), 0, most - 1);
    };
    const int y = at(box.y, box.height, size.height), x = at(box.x, box.width, size.width);
    return {size.depth / 2, y, x};
  }

  std::vector<std::int64_t> classes_;
};

}  // namespace random_crop
