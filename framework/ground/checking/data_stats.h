// Statistics of the datasets of a spec: classes, sizes, pixel values, objects.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include <sectile/sample.h>

#include "class_weights.h"
#include "data_check.h"

namespace sectile {

constexpr double kSmallArea = 32 * 32, kMediumArea = 96 * 96;  // COCO's: small, medium and large objects

struct ClassStats {
  ClassFrequency frequency{};
  std::array<std::int64_t, 3> objects{};  // small, medium, large; without crowds
  std::int64_t crowds = 0;
  std::int64_t all_objects() const { return objects[0] + objects[1] + objects[2]; }
};

// Of all images with these channels and type.
struct PixelStats {
  int channels = 0;
  int depth = 0;  // CV_8U …
  std::int64_t images = 0, pixels = 0;
  double max_value = 1;           // that `normalize` scales to 1; 1 where it does not know any (CV_16S)
  std::vector<double> mean{};     // per channel, as a fraction of max_value
  std::vector<double> deviation;  // of the population, likewise
};

struct ImageSizes {
  // Extents by area, then height, then width.
  Extent smallest{}, largest{}, median{}, most_frequent{};  // median: the lower one of two
  std::int64_t most_frequent_count = 0;
  std::int64_t different = 0;
};

struct ObjectCounts {  // per image, without crowds
  std::int64_t least = 0, most = 0, images_without = 0;
  double mean = 0, median = 0;
};

struct SplitStats {
  std::string name{};
  std::int64_t samples = 0, images = 0, labeled = 0;  // images: samples that were counted
  LabelMap labels{};
  std::vector<ClassStats> classes{};
  std::int64_t label_values = 0, ignored = 0;  // pixels; of overlapping classes, one per pixel and class
  ImageSizes sizes{};
  std::vector<PixelStats> pixels{};  // the most frequent kind of image first
  ObjectCounts objects{};
  std::int64_t skipped = 0;            // samples that cannot be used
  std::vector<std::string> reasons{};  // of the first few
  std::string problem{};               // why the split cannot be opened

  std::vector<ClassFrequency> frequencies() const;
};

// Reads every sample once, in `workers` threads (at least one), on which the result does not depend.
std::vector<SplitStats> data_stats(const std::vector<Split>& splits, int workers, const DataProgress& progress);

std::string stats_text(const std::vector<SplitStats>& splits);
std::string stats_json(const std::vector<SplitStats>& splits);

}  // namespace sectile
