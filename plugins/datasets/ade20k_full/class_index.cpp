#include "class_index.h"

#include <algorithm>
#include <set>

#include <sectile/data/folders.h>
#include <sectile/data/image_io.h>
#include <sectile/error.h>

#include "object_names.h"

namespace ade20k_full {
namespace {

using sectile::DataError;

// Numbers of classes by the number of an object: the rank of its blue value among those of the mask, as in
// loadAde20K.m, which comes with the data. Void has rank 0, if there is any.
std::map<int, int> numbers_by_object(const cv::Mat& mask) {
  std::map<int, std::map<int, int>> pixels;  // by class number, by blue
  for (int y = 0; y < mask.rows; ++y)
    for (int x = 0; x < mask.cols; ++x) {
      const auto& pixel = mask.at<cv::Vec3b>(y, x);
      ++pixels[pixel[2]][number_of(pixel[0], pixel[1])];
    }
  std::map<int, int> numbers;
  int rank = pixels.count(0) ? 0 : 1;
  for (const auto& [blue, counts] : pixels)
    numbers[rank++] = std::max_element(counts.begin(), counts.end(), [](const auto& a, const auto& b) {
                        return a.second < b.second;
                      })->first;
  return numbers;
}

void add_attributes(std::map<int, std::string>& names, std::set<std::string>& known, const Entry& entry) {
  auto objects = read_attributes(entry.names);
  std::erase_if(objects, [&](const auto& one) { return known.count(one.name) > 0; });
  if (objects.empty()) return;
  const auto numbers = numbers_by_object(read_mask(entry.mask));
  for (const auto& [object, name] : objects) {
    const auto found = numbers.find(object);
    if (object == 0 || found == numbers.end() || found->second == 0) continue;  // covered by others
    names.emplace(found->second, name);
    known.insert(name);
  }
}

}  // namespace

cv::Mat read_mask(const std::filesystem::path& mask) {
  const cv::Mat pixels = sectile::read_raw_image(mask).pixels;
  if (pixels.type() == CV_8UC3) return pixels;
  throw DataError(mask.string(), "has " + std::to_string(pixels.channels()) + " channels of " +
                                     std::to_string(8 * pixels.elemSize1()) +
                                     " bits; a mask of the full ADE20K has red, green and blue of 8 bits" +
                                     (pixels.channels() == 1 ? ". For masks of SceneParse150, use ade20k" : ""));
}

bool needs_mask(const Entry& entry) { return sectile::lower_suffix(entry.names) == ".txt"; }

std::map<int, std::string> find_names(const std::vector<Entry>& entries) {
  std::map<int, std::string> names;
  std::set<std::string> known;
  for (const auto& entry : entries) {
    if (entry.names.empty()) continue;
    if (needs_mask(entry)) {
      add_attributes(names, known, entry);
      continue;
    }
    for (const auto& [number, name] : read_json(entry.names))
      if (number > 0 && number < kNumbers) names.emplace(number, name);
  }
  return names;
}

}  // namespace ade20k_full
