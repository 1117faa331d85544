#include <sectile/dataset.h>
#include <sectile/notes.h>

#include <set>

#include <opencv2/core.hpp>

namespace sectile {

Dataset::~Dataset() = default;
Notes::~Notes() = default;
LeftOut::~LeftOut() = default;

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

std::int64_t Dataset::image_id_of(std::size_t index) const { return number_in_name(id_of(index)); }

std::int64_t number_in_name(const std::string& name) {
  constexpr std::size_t kMostDigits = 18;  // of 64 bits
  const auto folder = name.find_last_of('/');
  auto stem = folder == std::string::npos ? name : name.substr(folder + 1);
  stem = stem.substr(0, stem.find_last_of('.'));
  const auto last = stem.find_last_not_of("0123456789");
  const auto digits = last == std::string::npos ? stem : stem.substr(last + 1);
  return digits.empty() || digits.size() > kMostDigits ? -1 : std::stoll(digits);
}

}  // namespace sectile
