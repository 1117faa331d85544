#include "cut_annotation.h"

#include <opencv2/imgproc.hpp>

namespace sectile {
namespace {

void cut_object(const cv::Mat& seen, const cv::Rect2f& bounds, Instance& object) {
  if (object.mask.empty()) {
    const auto left = object.box & bounds;
    if (left != object.box) object.area.reset();
    object.box = left;
    return;
  }
  const Mask left(cv::Mat(object.mask.bitmap() & seen));
  if (left.area() == object.mask.area()) return;
  object.area.reset();
  object.box = left.box();
  object.mask = Mask(left.rle());
}

// What is left of an image.
struct Seen {
  at::Tensor bytes;
  cv::Mat pixels;  // 8U, 0 or 1
  cv::Rect2f bounds;

  explicit Seen(const at::Tensor& unseen)
      : bytes(unseen.logical_not().to(at::kCPU, at::kByte).contiguous()),
        pixels(static_cast<int>(bytes.size(0)), static_cast<int>(bytes.size(1)), CV_8U, bytes.data_ptr()),
        bounds(cv::boundingRect(pixels)) {}
};

}  // namespace

void cut_objects(const at::Tensor& unseen, std::vector<Instance>& found) {
  if (found.empty() || unseen.dim() != 2) return;
  const Seen seen(unseen);
  for (auto& object : found) {
    object.box &= seen.bounds;
    if (!object.mask.empty()) object.mask = Mask(Mask(cv::Mat(object.mask.bitmap() & seen.pixels)).rle());
  }
}

void cut_annotation(const at::Tensor& unseen, Sample& sample) {
  if (unseen.dim() != 2) return;
  const Seen seen(unseen);
  for (auto& object : sample.instances) cut_object(seen.pixels, seen.bounds, object);
  std::erase_if(sample.instances, [](const Instance& object) { return object.box.empty(); });
  if (sample.segment_ids.empty()) return;
  sample.segment_ids = sample.segment_ids.clone();
  sample.segment_ids.setTo(0, seen.pixels == 0);
  std::erase_if(sample.segments,
                [&](const Segment& one) { return cv::countNonZero(sample.segment_ids == one.id) == 0; });
}

}  // namespace sectile
