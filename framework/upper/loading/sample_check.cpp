#include "sample_check.h"

#include <opencv2/core.hpp>

#include <sectile/error.h>

namespace sectile {
namespace {

std::string range(int classes) {
  return "and there are " + std::to_string(classes) + " classes: expected 0 to " + std::to_string(classes - 1);
}

void check_image(const Sample& sample, const Collation& how) {
  const auto& image = sample.image;
  if (image.empty()) throw DataError(sample.id, "has no image after the transforms");
  if (how.dimensions > 0 && image.dims != how.dimensions)
    throw DataError(sample.id, "has " + std::to_string(image.dims) + " dimensions, and the network expects " +
                                   std::to_string(how.dimensions));
  if (how.channels > 0 && image.channels() != how.channels)
    throw DataError(sample.id, "has " + std::to_string(image.channels()) +
                                   " channels after the transforms, and the network expects " +
                                   std::to_string(how.channels));
  if (image.depth() == CV_32F && !cv::checkRange(image))
    throw DataError(sample.id, "has pixels that are not finite (NaN or Inf): replace or remove them");
}

void check_number(const Sample& sample, const char* what, int number, int classes) {
  if (number < 0 || number >= classes)
    throw DataError(sample.id, std::string("has ") + what + " of the class number " + std::to_string(number) + ", " +
                                   range(classes));
}

}  // namespace

void check_labels(const Sample& sample, int classes) {
  const auto& labels = sample.labels;
  if (labels.empty()) return;
  const bool per_class = labels.type() == CV_32FC(classes);
  if (labels.type() != CV_16SC1 && !per_class)
    throw DataError(sample.id, "has labels of " + cv::typeToString(labels.type()) +
                                   ": expected class numbers of CV_16SC1, or CV_32F with one channel for each of the " +
                                   std::to_string(classes) + " classes");
  double least = 0, most = 0;
  cv::minMaxIdx(per_class ? labels.reshape(1) : labels, &least, &most);
  const double highest = per_class ? 1 : classes - 1;
  if (least >= kIgnore && most <= highest) return;
  const double wrong = most > highest ? most : least;
  if (per_class)
    throw DataError(sample.id, "has the value " + std::to_string(wrong) + " in its labels per class: " +
                                   "expected 0 to 1, or " + std::to_string(kIgnore) + " (ignored)");
  throw DataError(sample.id, "has the class number " + std::to_string(static_cast<int>(wrong)) + " in its labels, " +
                                 range(classes) + ", or " + std::to_string(kIgnore) + " (ignored)");
}

void check_annotation(const Sample& sample, int classes) {
  const auto same_size = [&](const cv::Mat& map, const std::string& name) {
    if (!map.empty() && extent(map) != extent(sample.image))
      throw DataError(sample.id, "image and " + name + " differ in size");
  };
  same_size(sample.labels, "labels");
  same_size(sample.segment_ids, "segment ids");
  for (const auto& [name, map] : sample.targets) same_size(map, "target \"" + name + "\"");
  check_labels(sample, classes);
  for (const auto& instance : sample.instances) check_number(sample, "an object", instance.category, classes);
  for (const auto& segment : sample.segments) check_number(sample, "a segment", segment.category, classes);
  for (const int tag : sample.tags) check_number(sample, "a tag", tag, classes);
}

void check_sample(const Sample& sample, const Collation& how) {
  check_image(sample, how);
  check_annotation(sample, how.classes);
  for (const auto& shot : sample.support) check_sample(shot, how);
}

}  // namespace sectile
