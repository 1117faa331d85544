#include <sectile/data/coco_file.h>
#include <sectile/data/rle.h>
#include <sectile/error.h>

#include "../data/coco_counts.h"
#include "json_file.h"

namespace sectile {
namespace {

// The arrays of an array: "[[1, 2], [3]]". False: something else is in it.
template <class Use>
bool each_array(std::string_view text, const Use& use) {
  text = trimmed(text.substr(1, text.size() - 2));
  while (!text.empty()) {
    const auto end = text.find(']');
    if (text.front() != '[' || end == std::string_view::npos) return false;
    use(text.substr(0, end + 1));
    text = trimmed(text.substr(end + 1));
    if (text.empty()) break;
    if (text.front() != ',') return false;
    text = trimmed(text.substr(1));
    if (text.empty()) return false;
  }
  return true;
}

Polygons polygons_of(std::string_view text, const cv::Size& image, int* short_rings) {
  Polygons polygons{image, {}, Polygons::Rule::any_ring};
  std::vector<double> numbers;
  int index = 0;
  const bool well_formed = each_array(text, [&](std::string_view ring) {
    const auto place = [&] { return "polygon " + std::to_string(index) + " of the mask"; };
    numbers.clear();
    if (!read_numbers(ring, numbers))
      throw DataError(place(), "is " + shortened(ring) + "; finite numbers are expected: [x1, y1, x2, y2, ...]");
    if (numbers.size() % 2)
      throw DataError(place(), "has " + std::to_string(numbers.size()) +
                                   " numbers; x and y of each corner are expected, which is an even number");
    ++index;
    constexpr std::size_t kFewest = 6;
    if (numbers.size() < kFewest) {
      if (short_rings) ++*short_rings;
      return;
    }
    auto& corners = polygons.rings.emplace_back();
    for (std::size_t i = 0; i < numbers.size(); i += 2) corners.emplace_back(numbers[i], numbers[i + 1]);
  });
  if (!well_formed)
    throw DataError("mask", "is " + shortened(text) + "; a list of polygons is expected: [[x1, y1, x2, y2, ...], ...]");
  return polygons;
}

Rle counts_of(std::string_view text, const cv::Size& size) {
  std::vector<double> numbers;
  if (!read_numbers(text, numbers))
    throw DataError("mask", "has the run lengths " + shortened(text) + "; a list of whole numbers is expected");
  Rle rle{size, {}};
  std::int64_t covered = 0;
  for (const double number : numbers) {
    if (number < 0 || number > double(pixels_of(size)) || number != std::int64_t(number))
      throw DataError("mask", "has the run length " + text_of(number) + ", and is of an image of " + text_of(size) +
                                  "; whole numbers of pixels are expected");
    rle.counts.push_back(static_cast<std::uint32_t>(number));
    covered += rle.counts.back();
  }
  demand_covered(covered, size);
  return rle;
}

}  // namespace

Mask mask_of(const CocoMask& mask, const cv::Size& image, int* short_rings) {
  if (mask.form == CocoMask::Form::none) return {};
  if (mask.form == CocoMask::Form::polygons) {
    if (image.empty())
      throw DataError("mask", "is of polygons, and the size of its image is not known: give width and height");
    return Mask(polygons_of(mask.json, image, short_rings));
  }
  if (mask.size != image && !image.empty())
    throw DataError("mask",
                    "has run lengths of an image of " + text_of(mask.size) + ", and its image is " + text_of(image));
  if (mask.form == CocoMask::Form::counts) return Mask(counts_of(mask.json, mask.size));
  std::string buffer;
  return Mask(from_coco(std::string(without_escapes(mask.json, buffer)), mask.size));
}

}  // namespace sectile
