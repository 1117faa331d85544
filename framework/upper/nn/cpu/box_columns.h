// Boxes as columns, and which of them stay of those that overlap: the inner loop of non-maximum suppression.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace sectile::nn {

template <class Number>
class BoxColumns {
 public:
  // box: left, top, right, bottom. In the order of their scores, best first.
  void add(const Number* box);
  // Whether each one stays: no box before it that stays overlaps it by more than this. In the numbers' own type, as in
  // torchvision. The boxes are gone then.
  std::vector<std::uint8_t> kept(double iou_threshold);

 private:
  std::vector<Number> left_, top_, right_, bottom_, area_;
};

}  // namespace sectile::nn
