#include "data_stats.h"

#include <algorithm>
#include <cmath>
#include <optional>
#include <set>
#include <utility>

#include <opencv2/core.hpp>

#include "../component_call.h"
#include "../data/label_counts.h"
#include "../data/rows.h"
#include "in_order.h"
#include "sample_findings.h"

namespace sectile {
namespace {

constexpr std::size_t kReasons = 5;

__extension__ using Wide = __int128;  // sums of squares of a whole dataset

// Of the values of one channel. Integers are summed exactly.
struct ChannelSums {
  std::int64_t sum = 0;
  std::uint64_t squares = 0;
  double mean = 0, deviations = 0;  // of floating point: the sum of squared deviations from the mean
};

struct ImageSums {
  int channels = 0, depth = 0;
  std::int64_t pixels = 0;
  std::vector<ChannelSums> sums{};
};

template <class Value>
void add_integers(const cv::Mat& image, std::vector<ChannelSums>& sums) {
  const auto channels = sums.size();
  each_row<Value>(image, [&](const Value* row, std::size_t count) {
    for (std::size_t c = 0; c < channels; ++c) {
      std::int64_t sum = 0;
      std::uint64_t squares = 0;
      for (std::size_t i = c; i < count; i += channels) {
        const std::int64_t value = row[i];
        sum += value;
        squares += static_cast<std::uint64_t>(value * value);
      }
      sums[c].sum += sum;
      sums[c].squares += squares;
    }
  });
}

// Twice over the pixels: the mean first, so that nothing cancels.
void add_floats(const cv::Mat& image, std::int64_t pixels, std::vector<ChannelSums>& sums) {
  const auto channels = sums.size();
  const auto each = [&](const auto& add) {
    each_row<float>(image, [&](const float* row, std::size_t count) {
      for (std::size_t i = 0; i < count; ++i) add(sums[i % channels], double{row[i]});
    });
  };
  each([](ChannelSums& of, double value) { of.mean += value; });
  for (auto& of : sums) of.mean /= static_cast<double>(pixels);
  each([](ChannelSums& of, double value) { of.deviations += (value - of.mean) * (value - of.mean); });
}

ImageSums sums_of(const cv::Mat& image) {
  ImageSums all{image.channels(), image.depth(), static_cast<std::int64_t>(image.total()), {}};
  all.sums.resize(static_cast<std::size_t>(all.channels));
  if (all.depth == CV_8U) add_integers<std::uint8_t>(image, all.sums);
  if (all.depth == CV_16U) add_integers<std::uint16_t>(image, all.sums);
  if (all.depth == CV_16S) add_integers<std::int16_t>(image, all.sums);
  if (all.depth == CV_32F) add_floats(image, all.pixels, all.sums);
  return all;
}

// Of all images with the same channels and type.
class PixelSums {
 public:
  void add(const ImageSums& image) {
    ++images_;
    if (sums_.empty()) sums_.resize(image.sums.size());
    for (std::size_t c = 0; c < sums_.size(); ++c) {
      auto& [sum, squares, mean, deviations] = sums_[c];
      const auto& more = image.sums[c];
      sum += more.sum;
      squares += more.squares;
      const auto before = static_cast<double>(pixels_), now = static_cast<double>(image.pixels);
      const double step = more.mean - mean;  // Chan et al. 1979
      mean += step * now / (before + now);
      deviations += more.deviations + step * step * before * now / (before + now);
    }
    pixels_ += image.pixels;
  }

  PixelStats stats(int channels, int depth) const {
    PixelStats stats{channels, depth, images_, pixels_, depth == CV_8U ? 255. : depth == CV_16U ? 65535. : 1., {}, {}};
    for (const auto& [sum, squares, mean, deviations] : sums_) {
      const auto count = static_cast<long double>(pixels_);
      const bool exact = depth != CV_32F;
      const auto variance = exact ? static_cast<long double>(squares * pixels_ - sum * sum) / count / count
                                  : static_cast<long double>(deviations) / count;
      const auto its_mean = exact ? static_cast<long double>(sum) / count : static_cast<long double>(mean);
      stats.mean.push_back(static_cast<double>(its_mean / stats.max_value));
      stats.deviation.push_back(static_cast<double>(std::sqrt(variance) / stats.max_value));
    }
    return stats;
  }
  std::int64_t images() const { return images_; }

 private:
  struct Sums {
    Wide sum = 0, squares = 0;
    double mean = 0, deviations = 0;
  };
  std::int64_t images_ = 0, pixels_ = 0;
  std::vector<Sums> sums_;
};

struct ObjectStats {
  int category = 0;
  double area = 0;
  bool crowd = false;
};

struct SampleStats {
  std::string problem{};  // why it is not counted
  Extent size{};
  ImageSums image{};
  bool labeled = false;
  LabelCounts labels{};
  std::vector<int> classes{};  // that occur in any annotation
  std::vector<ObjectStats> objects{};
};

// Labels as they follow from a map of segments: void and segments that are not listed are ignored.
cv::Mat labels_of_segments(const Sample& sample) {
  std::map<std::int32_t, int> categories;
  for (const auto& segment : sample.segments) categories[segment.id] = segment.category;
  cv::Mat labels(sample.segment_ids.dims, sample.segment_ids.size.p, CV_16S);
  auto to = labels.begin<std::int16_t>();
  for (auto it = sample.segment_ids.begin<std::int32_t>(); it != sample.segment_ids.end<std::int32_t>(); ++it, ++to) {
    const auto found = *it == 0 ? categories.end() : categories.find(*it);
    *to = found == categories.end() ? kIgnore : static_cast<std::int16_t>(found->second);
  }
  return labels;
}

void add_objects(const Sample& sample, const LabelMap& labels, SampleStats& stats) {
  for (const auto& instance : sample.instances)
    stats.objects.push_back({instance.category, area_of(instance), instance.crowd});
  if (!sample.instances.empty()) return;
  std::map<std::int32_t, std::int64_t> pixels;
  for (auto it = sample.segment_ids.begin<std::int32_t>(); it != sample.segment_ids.end<std::int32_t>(); ++it)
    ++pixels[*it];
  for (const auto& segment : sample.segments)
    if (labels.classes.at(static_cast<std::size_t>(segment.category)).thing && pixels.count(segment.id))
      stats.objects.push_back({segment.category, static_cast<double>(pixels[segment.id]), segment.crowd});
}

SampleStats stats_of(const Sample& sample, const LabelMap& labels) {
  const auto classes = static_cast<int>(labels.classes.size());
  if (sample.image.empty()) throw DataError(sample.id, "has no image");
  if (sample.image.depth() == CV_32F && !cv::checkRange(sample.image))
    throw DataError(sample.id, "has pixels that are not finite (NaN or Inf)");
  SampleStats stats;
  stats.size = extent(sample.image);
  stats.image = sums_of(sample.image);
  std::set<int> present(sample.tags.begin(), sample.tags.end());
  for (const auto& instance : sample.instances) present.insert(instance.category);
  for (const auto& segment : sample.segments) present.insert(segment.category);
  if (!present.empty() && (*present.begin() < 0 || *present.rbegin() >= classes))
    throw DataError(sample.id, "has the class number " +
                                   std::to_string(*present.begin() < 0 ? *present.begin() : *present.rbegin()) +
                                   ", and there are " + std::to_string(classes) + " classes");
  const bool by_segments = sample.labels.empty() && !sample.segment_ids.empty();
  const cv::Mat its_labels = by_segments ? labels_of_segments(sample) : sample.labels;
  stats.labeled = !its_labels.empty();
  stats.labels = count_labels(its_labels, classes);
  if (stats.labels.wrong > 0)
    throw DataError(sample.id, "has the value " + std::to_string(stats.labels.first_wrong) + " in its labels");
  for (int c = 0; c < classes; ++c)
    if (stats.labels.pixels[static_cast<std::size_t>(c)] > 0) present.insert(c);
  stats.classes.assign(present.begin(), present.end());
  add_objects(sample, labels, stats);
  return stats;
}

SampleStats read_stats(const std::shared_ptr<const Dataset>& data, std::size_t index) {
  try {
    return call<DataError>(place_of(data), "sample " + std::to_string(index),
                           [&] { return stats_of(data->read(index), data->labels()); });
  } catch (...) {
    SampleStats bad;
    bad.problem = reason_of_exception();
    return bad;
  }
}

class SplitSums {
 public:
  explicit SplitSums(SplitStats& stats) : stats_(stats) {}

  void take(SampleStats sample) {
    if (!sample.problem.empty()) {
      if (++stats_.skipped <= static_cast<std::int64_t>(kReasons)) stats_.reasons.push_back(std::move(sample.problem));
      return;
    }
    ++stats_.images;
    ++sizes_[key_of(sample.size)];
    pixels_[{sample.image.channels, sample.image.depth}].add(sample.image);
    stats_.labeled += sample.labeled;
    stats_.label_values += sample.labels.values;
    stats_.ignored += sample.labels.ignored;
    for (const int c : sample.classes) ++stats_.classes[static_cast<std::size_t>(c)].frequency.images;
    for (std::size_t c = 0; c < stats_.classes.size(); ++c) {
      auto& of = stats_.classes[c].frequency;
      of.pixels += sample.labels.pixels[c];
      of.counted += sample.labels.counted[c];
      if (sample.labels.pixels[c] > 0) of.counted_with += sample.labels.counted[c];
    }
    std::int64_t objects = 0;
    for (const auto& object : sample.objects) {
      auto& its = stats_.classes[static_cast<std::size_t>(object.category)];
      if (object.crowd) {
        ++its.crowds;
        continue;
      }
      ++objects;
      ++its.objects[object.area < kSmallArea ? 0 : object.area < kMediumArea ? 1 : 2];
    }
    ++objects_[objects];
  }

  void finish() {
    if (stats_.images == 0) return;
    std::vector<PixelStats> kinds;
    for (const auto& [type, sums] : pixels_) kinds.push_back(sums.stats(type.first, type.second));
    std::stable_sort(kinds.begin(), kinds.end(), [](const auto& a, const auto& b) { return a.images > b.images; });
    stats_.pixels = std::move(kinds);
    finish_sizes();
    finish_objects();
  }

 private:
  using SizeKey = std::array<std::int64_t, 4>;  // area, depth, height, width
  static SizeKey key_of(const Extent& size) {
    return {std::int64_t{size.depth} * size.height * size.width, size.depth, size.height, size.width};
  }
  static Extent extent_of(const SizeKey& key) {
    return {static_cast<int>(key[1]), static_cast<int>(key[2]), static_cast<int>(key[3])};
  }

  void finish_sizes() {
    auto& sizes = stats_.sizes;
    sizes.different = static_cast<std::int64_t>(sizes_.size());
    sizes.smallest = extent_of(sizes_.begin()->first);
    sizes.largest = extent_of(sizes_.rbegin()->first);
    std::int64_t before = 0;
    for (const auto& [key, count] : sizes_) {
      if (before <= (stats_.images - 1) / 2) sizes.median = extent_of(key);
      before += count;
      if (count > sizes.most_frequent_count) sizes.most_frequent = extent_of(key), sizes.most_frequent_count = count;
    }
  }

  void finish_objects() {
    auto& of = stats_.objects;
    of.least = objects_.begin()->first;
    of.most = objects_.rbegin()->first;
    of.images_without = objects_.count(0) ? objects_.at(0) : 0;
    const auto at = [this](std::int64_t rank) {
      for (const auto& [count, images] : objects_)
        if ((rank -= images) < 0) return count;
      return std::int64_t{0};
    };
    of.median = static_cast<double>(at((stats_.images - 1) / 2) + at(stats_.images / 2)) / 2;
    std::int64_t total = 0;
    for (const auto& [count, images] : objects_) total += count * images;
    of.mean = static_cast<double>(total) / static_cast<double>(stats_.images);
  }

  SplitStats& stats_;
  std::map<SizeKey, std::int64_t> sizes_;
  std::map<std::pair<int, int>, PixelSums> pixels_;  // by channels and type
  std::map<std::int64_t, std::int64_t> objects_;     // images by their number of objects
};

}  // namespace

std::vector<ClassFrequency> SplitStats::frequencies() const {
  std::vector<ClassFrequency> all;
  for (const auto& of : classes) all.push_back(of.frequency);
  return all;
}

std::vector<SplitStats> data_stats(const std::vector<Split>& splits, int workers, const DataProgress& progress) {
  std::vector<SplitStats> all;
  for (const auto& split : splits) {
    SplitStats& stats = all.emplace_back();
    stats.name = split.name;
    stats.problem = split.problem;
    if (!split.data) continue;
    const auto size = split.data->size();
    stats.samples = static_cast<std::int64_t>(size);
    stats.labels = split.data->labels();
    stats.classes.resize(stats.labels.classes.size());
    SplitSums sums(stats);
    in_order(
        size, workers, [&](std::size_t index) { return read_stats(split.data, index); },
        [&, size](std::size_t index, SampleStats sample) {
          sums.take(std::move(sample));
          progress(split.name, index + 1, size);
        });
    sums.finish();
  }
  return all;
}

}  // namespace sectile
