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

constexpr std::int16_t kIgnore = -1;  // ignore index: a pixel whose class is unknown or does not count, in all labels

// The size of an image (depth 1) or volume.
struct Extent {
  int depth = 1;
  int height = 0;
  int width = 0;
  bool operator==(const Extent&) const = default;
};
SECTILE_EXPORT Extent extent(const cv::Mat& image);

// Relation of the image to its file. Positions are (x, y, z), continuous: pixel i covers [i, i + 1).
struct Geometry {
  Extent original{};                             // the size in the file
  cv::Matx44d to_original = cv::Matx44d::eye();  // position here → position in the file
  bool invertible = true;                        // false after a warp with a displacement: for training only
  cv::Vec3d spacing = {1, 1, 1};                 // millimetres per pixel of the file, (x, y, z)
};

struct Instance {
  int category = 0;  // class number
  cv::Rect2f box{};
  Mask mask{};
  bool crowd = false;
  float score = 1;  // of a prediction
  std::int64_t id = 0;
  std::optional<double> area{};  // as stated in the file, for COCO's size ranges; reset by a warp
};

struct Segment {
  std::int32_t id = 0;  // 0 is void
  int category = 0;
  bool crowd = false;
};

// Missing annotation is an empty member, not a special value: a sample without annotation is unlabeled, one with only
// tags is weakly labeled. Each cv::Mat may be a view of a larger one. Members may be added at the end; set them by
// name.
struct Sample {
  std::string id{};  // its name in messages and output files
  cv::Mat image{};   // 8U, 16U, 16S or 32F, 1..512 channels, H x W or D x H x W; RGB if there are three
  cv::Mat labels{};  // 16S, same size, one channel: class numbers or kIgnore;
                     // or 32F, one channel per class: 0..1 or kIgnore (overlapping classes, soft labels)
  std::vector<Instance> instances{};
  cv::Mat segment_ids{};  // 32S, 0 = void
  std::vector<Segment> segments{};
  std::vector<int> tags{};                   // classes known to be present, if nothing else is known
  std::map<std::string, cv::Mat> targets{};  // further maps that are warped with the image: edges, distances, border
                                             // weights; 32F moves linearly, 16S (one channel, kIgnore) by nearest pixel
  std::vector<float> mean{};                 // set by `normalize`: applied once, while the batch is made; empty: none
  std::vector<float> deviation{};
  std::vector<Sample> support{};  // annotated examples of a few-shot episode; the sample itself is the query
  Geometry geometry{};
};

}  // namespace sectile
