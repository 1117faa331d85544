#include <sectile/transforms/object_map.h>

#include <algorithm>
#include <map>
#include <string>

#include <opencv2/core.hpp>

#include <sectile/error.h>
#include <sectile/transform.h>

#include "rows.h"

namespace sectile {
namespace {

constexpr std::int16_t kNoObject = -2;  // in a map of classes: neither kIgnore nor a class that counts
constexpr float kInside = 0.5f;         // from here on a pixel belongs to an overlapping class

cv::Mat like(const cv::Mat& map, int type, int value) {
  cv::Mat made(map.dims, map.size.p, type);
  made = cv::Scalar(value);
  return made;
}

std::vector<bool> flags(const std::vector<std::int64_t>& classes) {
  std::vector<bool> counts;
  for (const auto number : classes) {
    const auto index = static_cast<std::size_t>(number);
    if (index >= counts.size()) counts.resize(index + 1);
    counts[index] = true;
  }
  return counts;
}

bool is_in(const std::vector<bool>& counts, int number) {
  return number >= 0 && static_cast<std::size_t>(number) < counts.size() && counts[static_cast<std::size_t>(number)];
}

// Class numbers of the classes that count, kNoObject and kIgnore; contiguous. Of labels per class, the last one that a
// pixel belongs to, and kIgnore where all are ignored.
cv::Mat counted_classes(const cv::Mat& labels, const std::vector<bool>& counts) {
  auto classes = like(labels, CV_16S, kNoObject);
  auto* to = classes.ptr<std::int16_t>();
  if (labels.type() == CV_16SC1) {
    each_row<std::int16_t>(labels, [&](const std::int16_t* row, std::size_t count) {
      for (std::size_t x = 0; x < count; ++x, ++to)
        if (row[x] == kIgnore || is_in(counts, row[x])) *to = row[x];
    });
    return classes;
  }
  const auto channels = static_cast<std::size_t>(labels.channels());
  each_row<float>(labels, [&](const float* row, std::size_t count) {
    for (std::size_t first = 0; first < count; first += channels, ++to) {
      bool known = false;
      for (std::size_t c = 0; c < channels; ++c) {
        known |= row[first + c] >= 0;
        if (row[first + c] >= kInside && is_in(counts, static_cast<int>(c))) *to = static_cast<std::int16_t>(c);
      }
      if (!known) *to = kIgnore;
    }
  });
  return classes;
}

// Numbers the connected components in place of 0. A stack of pixels, as recursion would be as deep as the image.
void number_components(const cv::Mat& classes, cv::Mat& numbers) {
  const auto size = extent(classes);
  const auto* const of = classes.ptr<std::int16_t>();
  auto* const to = numbers.ptr<std::int32_t>();
  const auto index = [&](int z, int y, int x) {
    return (static_cast<std::ptrdiff_t>(z) * size.height + y) * size.width + x;
  };
  std::vector<std::array<int, 3>> pending;
  std::int32_t count = 0;
  const auto add = [&](int z, int y, int x, std::int16_t category) {
    const auto at = index(z, y, x);
    if (of[at] != category || to[at] != 0) return;
    to[at] = count;
    pending.push_back({z, y, x});
  };
  const auto fill = [&](std::int16_t category) {
    while (!pending.empty()) {
      const auto [z, y, x] = pending.back();
      pending.pop_back();
      for (int k = std::max(z - 1, 0); k <= std::min(z + 1, size.depth - 1); ++k)
        for (int j = std::max(y - 1, 0); j <= std::min(y + 1, size.height - 1); ++j)
          for (int i = std::max(x - 1, 0); i <= std::min(x + 1, size.width - 1); ++i) add(k, j, i, category);
    }
  };
  for (int z = 0; z < size.depth; ++z)
    for (int y = 0; y < size.height; ++y)
      for (int x = 0; x < size.width; ++x) {
        const auto at = index(z, y, x);
        if (of[at] < 0 || to[at] != 0) continue;
        ++count;
        add(z, y, x, of[at]);
        fill(of[at]);
      }
}

bool has_masks(const Sample& sample) {
  return std::any_of(sample.instances.begin(), sample.instances.end(),
                     [](const Instance& instance) { return !instance.mask.empty(); });
}

cv::Mat of_instances(const Sample& sample, const std::vector<bool>& counts) {
  auto numbers = like(sample.image, CV_32S, 0);
  const auto paint = [&](const Instance& instance, int number) {
    const auto bitmap = instance.mask.bitmap();
    if (extent(bitmap) != extent(sample.image))
      throw DataError(sample.id, "has an instance whose mask has another size than the image");
    numbers.setTo(cv::Scalar(number), bitmap);
  };
  for (const auto& instance : sample.instances)
    if (instance.crowd && !instance.mask.empty() && is_in(counts, instance.category)) paint(instance, kIgnore);
  int count = 0;
  for (const auto& instance : sample.instances)
    if (!instance.crowd && !instance.mask.empty() && is_in(counts, instance.category)) paint(instance, ++count);
  return numbers;
}

cv::Mat of_segments(const Sample& sample, const std::vector<bool>& counts) {
  std::map<std::int32_t, std::int32_t> number_of;
  for (const auto& segment : sample.segments)
    if (is_in(counts, segment.category)) number_of[segment.id] = segment.crowd ? kIgnore : segment.id;
  auto numbers = like(sample.image, CV_32S, 0);
  auto* to = numbers.ptr<std::int32_t>();
  std::int32_t last = 0, number = 0;  // adjacent pixels are mostly of one segment
  each_row<std::int32_t>(sample.segment_ids, [&](const std::int32_t* row, std::size_t count) {
    for (std::size_t x = 0; x < count; ++x, ++to) {
      if (row[x] != last) {
        const auto found = number_of.find(row[x]);
        last = row[x], number = found == number_of.end() ? 0 : found->second;
      }
      *to = number;
    }
  });
  return numbers;
}

// Renumbers objects from 1 without gaps, as some may be hidden by others, and finds their boxes.
std::vector<ObjectMap::Box> number_in_order(cv::Mat& numbers) {
  const auto size = extent(numbers);
  auto* at = numbers.ptr<std::int32_t>();
  std::map<std::int32_t, std::int32_t> known;
  std::vector<ObjectMap::Box> boxes;
  std::int32_t last = 0, number = 0;
  for (int z = 0; z < size.depth; ++z)
    for (int y = 0; y < size.height; ++y)
      for (int x = 0; x < size.width; ++x, ++at) {
        if (*at == 0 || *at == kIgnore) continue;
        if (*at != last) {
          last = *at;
          const auto [found, is_new] = known.emplace(last, static_cast<std::int32_t>(boxes.size()) + 1);
          if (is_new) boxes.push_back({{z, y, x}, {z + 1, y + 1, x + 1}});
          number = found->second;
        }
        *at = number;
        auto& box = boxes[static_cast<std::size_t>(number) - 1];
        const std::array<int, 3> position{z, y, x};
        for (std::size_t axis = 0; axis < 3; ++axis) {
          box.from[axis] = std::min(box.from[axis], position[axis]);
          box.to[axis] = std::max(box.to[axis], position[axis] + 1);
        }
      }
  return boxes;
}

void demand_size(const cv::Mat& map, const Sample& sample, const char* name) {
  if (!map.empty() && extent(map) != extent(sample.image))
    throw DataError(sample.id, std::string("image and ").append(name).append(" differ in size"));
}

}  // namespace

cv::Mat ObjectMap::around(const cv::Mat& map, std::size_t object, int margin) const {
  const auto& box = boxes.at(object);
  const auto size = extent(map);
  const std::array<int, 3> sizes{size.depth, size.height, size.width};
  std::vector<cv::Range> ranges;
  for (std::size_t axis = map.dims == 3 ? 0 : 1; axis < 3; ++axis)
    ranges.emplace_back(std::max(0, box.from[axis] - margin),
                        box.to[axis] < sizes[axis] - margin ? box.to[axis] + margin : sizes[axis]);
  return map(ranges);
}

ObjectMap object_map(const Sample& sample, ObjectSource source, const std::vector<std::int64_t>& classes) {
  const bool masks = has_masks(sample), instances = masks || !sample.segment_ids.empty();
  if (instances || !sample.labels.empty()) demand_image(sample);
  demand_size(sample.labels, sample, "labels");
  demand_size(sample.segment_ids, sample, "segment ids");
  const auto counts = flags(classes);
  const bool takes_labels = source == ObjectSource::components || (source == ObjectSource::automatic && !instances);
  ObjectMap made;
  if (takes_labels ? sample.labels.empty() : !instances) return made;
  const auto of_labels = sample.labels.empty() ? cv::Mat() : counted_classes(sample.labels, counts);
  if (takes_labels) {
    made.numbers = like(sample.image, CV_32S, 0);
    number_components(of_labels, made.numbers);
  } else {
    made.numbers = masks ? of_instances(sample, counts) : of_segments(sample, counts);
  }
  if (!of_labels.empty()) {
    const auto* label = of_labels.ptr<std::int16_t>();
    auto* number = made.numbers.ptr<std::int32_t>();
    for (std::size_t i = 0; i < made.numbers.total(); ++i)
      if (number[i] == 0 && label[i] == kIgnore) number[i] = kIgnore;
  }
  made.boxes = number_in_order(made.numbers);
  return made;
}

std::vector<std::int64_t> classes_of_objects(const LabelMap& labels) {
  const auto count = static_cast<std::int64_t>(labels.classes.size());
  std::vector<std::int64_t> things, all;
  for (std::int64_t c = 0; c < count; ++c) {
    if (labels.classes[static_cast<std::size_t>(c)].thing) things.push_back(c);
    if (c > 0 || labels.overlapping || count == 1) all.push_back(c);
  }
  return things.empty() ? all : things;
}

}  // namespace sectile
