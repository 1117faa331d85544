// One annotated image or volume, before it becomes part of a batch. No LibTorch here: datasets and transforms, which
// only handle samples, compile in a second.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include <opencv2/core/mat.hpp>
#include <opencv2/core/matx.hpp>

#include <sectile/mask.h>

namespace sectile {

constexpr std::int16_t kIgnore = -1;  // a pixel whose class is unknown or does not count, in every label map

// The size of an image (depth 1) or volume.
struct Extent {
  int depth = 1;
  int height = 0;
  int width = 0;
  bool operator==(const Extent&) const = default;
};
SECTILE_EXPORT Extent extent(const cv::Mat& image);

// Where the image came from. Positions are (x, y, z), continuous: pixel i covers [i, i + 1).
struct Geometry {
  Extent original{};                             // the size in the file
  cv::Matx44d to_original = cv::Matx44d::eye();  // position here → position in the file
  bool invertible = true;                        // false after a warp that is no matrix: fine for training only
  cv::Vec3d spacing = {1, 1, 1};                 // millimetres per pixel of the file, (x, y, z)
};

struct Instance {
  int category = 0;  // class number
  cv::Rect2f box{};
  Mask mask{};
  bool crowd = false;
  float score = 1;  // of a prediction
  std::int64_t id = 0;
  std::optional<double> area{};  // as the file states it, which COCO's size ranges go by; forgotten by a warp
};

struct Segment {
  std::int32_t id = 0;  // 0 is void
  int category = 0;
  bool crowd = false;
};

// Absent annotation is an empty member, not a special value: a sample without any is unlabelled, one with only tags is
// weakly labelled. Members may be added at the end; set them by name.
struct Sample {
  std::string id{};  // names it in messages and output files
  cv::Mat image{};   // 8U, 16U, 16S or 32F, 1..512 channels, H x W or D x H x W; RGB where there are three
  cv::Mat labels{};  // 16S, same size, one channel: class numbers or kIgnore;
                     // or 32F, one channel per class: 0..1 or kIgnore (overlapping classes, soft labels)
  std::vector<Instance> instances{};
  cv::Mat segment_ids{};  // 32S, 0 = void
  std::vector<Segment> segments{};
  std::vector<int> tags{};                   // classes known to be present, when that is all that is known
  std::map<std::string, cv::Mat> targets{};  // further maps that move with the image: edges, distances, border
                                             // weights; 32F moves linearly, 16S (one channel, kIgnore) by nearest pixel
  std::vector<float> mean{};                 // set by `normalize`: applied once, while the batch is made; empty: none
  std::vector<float> deviation{};
  std::vector<Sample> support{};  // of a few-shot episode: annotated examples; the sample itself is the query
  Geometry geometry{};
};

}  // namespace sectile
