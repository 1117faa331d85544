// Resampling the pixels of a map by a warp.
#pragma once

#include <optional>
#include <vector>

#include <opencv2/core.hpp>

#include <sectile/transform.h>

#include "separable_warp.h"
#include "slanted_warp.h"

namespace sectile {

const cv::Vec3d kOutside(-1, -1, -1);  // for positions behind the viewer

// Calls use(x, y, z, position) for every pixel of the result. position: of its center in the source.
template <class Use>
void each_position(const Extent& size, const cv::Matx44d& matrix, const cv::Mat& displacement, const Use& use) {
  for (int z = 0; z < size.depth; ++z)
    for (int y = 0; y < size.height; ++y) {
      const cv::Vec3f* shift = displacement.empty()     ? nullptr
                               : displacement.dims == 3 ? displacement.ptr<cv::Vec3f>(z, y)
                                                        : displacement.ptr<cv::Vec3f>(y);
      for (int x = 0; x < size.width; ++x) {
        const cv::Vec4d at = matrix * cv::Vec4d(x + 0.5, y + 0.5, z + 0.5, 1);
        cv::Vec3d position = at[3] > 0 ? cv::Vec3d(at[0] / at[3], at[1] / at[3], at[2]) : kOutside;
        if (shift) position += cv::Vec3d(shift[x]);
        use(x, y, z, position);
      }
    }
}

inline bool within(const cv::Vec3d& position, const Extent& size) {
  const int limit[] = {size.width, size.height, size.depth};
  for (int i = 0; i < 3; ++i)
    if (!(position[i] + kRounding >= 0 && position[i] + kRounding < limit[i])) return false;
  return true;
}

cv::Mat make(const Extent& size, bool volume, int type);  // [H, W], or [D, H, W]; not filled

// A warp, and where the result is filled for each of its stages.
struct Move {
  Move(const Warp& its_warp, bool volume);
  const Warp& warp;
  std::vector<cv::Mat> outside;

  // Of maps of two dimensions; kept for those of one size. Null for any other warp.
  const Separable* separable(const cv::Mat& from) const;
  const SlantedWarp* slanted(const cv::Mat& from) const;  // null where the plain sampler is needed

 private:
  mutable Extent separated_{};  // the size that separable_ is for
  mutable std::optional<Separable> separable_{};
  mutable std::optional<SlantedWarp> slanted_{};
};

// fills: of the warp and of each stage; one value for all channels, or one per channel.
using Fills = std::vector<std::vector<double>>;

// Throws DataError for an unsupported pixel type.
cv::Mat moved(const cv::Mat& from, const Move& how_moved, Interpolation how, const Fills& fills);

}  // namespace sectile
