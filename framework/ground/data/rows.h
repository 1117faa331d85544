// Rows of images and volumes, which may be views of larger ones.
#pragma once

#include <cstddef>

#include <opencv2/core/mat.hpp>

namespace sectile {

// Calls row(first, count) for each row from the first to the last; count: its values, those of all channels.
template <class Value, class Row>
void each_row(const cv::Mat& map, const Row& row) {
  if (map.empty()) return;
  const int width = map.size[map.dims - 1];
  const auto count = static_cast<std::size_t>(width) * map.elemSize() / sizeof(Value);
  if (map.dims == 2) {
    for (int y = 0; y < map.rows; ++y) row(map.ptr<Value>(y), count);
    return;
  }
  for (int z = 0; z < map.size[0]; ++z)
    for (int y = 0; y < map.size[1]; ++y) row(map.ptr<Value>(z, y), count);
}

}  // namespace sectile
