// The pixels of one object, in their original form, converted on demand.
#pragma once

#include <cstdint>
#include <variant>
#include <vector>

#include <opencv2/core/mat.hpp>
#include <opencv2/core/types.hpp>

#include <sectile/abi.h>

namespace sectile {

// COCO's run lengths: column by column, background first.
struct Rle {
  cv::Size size;
  std::vector<std::uint32_t> counts;
};

// Closed rings in continuous pixel coordinates: pixel i covers [i, i + 1).
struct Polygons {
  // COCO: inside any ring, by pycocotools' rule of pixels (data/rle.h). Others: a ring inside another is a hole; pixels
  // whose centers are inside.
  enum class Rule { any_ring, even_odd };
  cv::Size size;
  std::vector<std::vector<cv::Point2d>> rings;
  Rule rule = Rule::any_ring;
};

class SECTILE_EXPORT Mask {
 public:
  Mask() = default;
  Mask(Rle rle);
  Mask(Polygons polygons);
  Mask(cv::Mat bitmap);  // 8U, H x W or D x H x W, 0 or not; shared, not copied

  bool empty() const;      // no mask, which differs from a mask that covers no pixel
  cv::Mat bitmap() const;  // 8U, 0 or 1
  Rle rle() const;         // of a 2-D mask
  std::int64_t area() const;
  cv::Rect2f box() const;

  const std::variant<std::monostate, Rle, Polygons, cv::Mat>& form() const { return form_; }

 private:
  std::variant<std::monostate, Rle, Polygons, cv::Mat> form_;
};

}  // namespace sectile
