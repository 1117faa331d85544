// Everything that is wrong with one sample, and what is needed to compare it with others.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <sectile/dataset.h>

#include "findings.h"
#include "pixel_hash.h"

namespace sectile {

struct ImageType {
  int channels = 0;
  int depth = 0;  // CV_8U …
  int dimensions = 2;
  bool operator==(const ImageType&) const = default;
};

struct CheckedSample {
  std::string id{};
  std::vector<SampleFinding> findings{};
  std::optional<ImageType> image{};  // unless it cannot be read
  PixelHash hash{};
  bool constant = false;
  bool readable = true;      // its annotation
  bool dense = false;        // has labels, or a map of segments
  bool annotated = false;    // has any annotation
  std::vector<int> classes;  // those that occur, ascending
};

// Reads the sample; where that fails, its parts, so that each is told.
CheckedSample check_sample_of(const std::shared_ptr<const Dataset>& data, std::size_t index);

// Area in pixels, without a bitmap of the whole image: as stated, of the mask, or of the box.
double area_of(const Instance& instance);

}  // namespace sectile
