#include <sectile/dataset.h>
#include <sectile/notes.h>

#include <set>

#include <opencv2/core.hpp>

namespace sectile {

Dataset::~Dataset() = default;
Notes::~Notes() = default;

std::vector<int> Dataset::classes_of(std::size_t index) const {
  const auto sample = read(index, {.image = false, .labels = true, .objects = true});
  std::set<int> classes(sample.tags.begin(), sample.tags.end());
  for (const auto& instance : sample.instances) classes.insert(instance.category);
  for (const auto& segment : sample.segments) classes.insert(segment.category);
  if (sample.labels.type() == CV_16SC1) {
    int last = kIgnore;  // adjacent pixels are mostly equal
    for (auto it = sample.labels.begin<std::int16_t>(); it != sample.labels.end<std::int16_t>(); ++it)
      if (*it != last) classes.insert(last = *it);
  } else {
    for (int c = 0; c < sample.labels.channels() && !sample.labels.empty(); ++c) {
      cv::Mat plane;
      cv::extractChannel(sample.labels, plane, c);
      if (cv::countNonZero(plane > 0) > 0) classes.insert(c);
    }
  }
  classes.erase(kIgnore);
  return {classes.begin(), classes.end()};
}

Extent Dataset::extent_of(std::size_t index) const {
  return extent(read(index, {.image = true, .labels = false, .objects = false}).image);
}

std::string Dataset::id_of(std::size_t index) const {
  return read(index, {.image = false, .labels = false, .objects = false}).id;
}

}  // namespace sectile
