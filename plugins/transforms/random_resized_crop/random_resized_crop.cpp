// Cuts a window of random area and aspect ratio and resizes it: the crop of Szegedy et al. 2014, "Going deeper with
// convolutions", with the rules of torchvision's and albumentations' RandomResizedCrop.
#include <algorithm>
#include <array>
#include <cmath>

#include <opencv2/core/types.hpp>

#include <sectile/transform.h>

namespace {

using sectile::Extent;
using sectile::Interpolation;

constexpr int kTries = 10;  // of both libraries

struct RandomResizedCropOptions {
  std::array<int, 2> size = {256, 256};
  std::array<double, 2> scale = {0.08, 1};
  std::array<double, 2> ratio = {3. / 4, 4. / 3};
  Interpolation interpolation = Interpolation::linear;

  void declare(sectile::Options& options) {
    options
        .add("size", &size,
             "Size of the result: [height, width] in pixels. Of a volume, all slices are cut alike, and its depth does "
             "not change.")
        .at_least(1)
        .at_most(1 << 20);
    options.add("scale", &scale, "[min, max] area of the window, as a fraction of the image's area.")
        .at_least(0)
        .at_most(1);
    options
        .add("ratio", &ratio,
             "[min, max] aspect ratio of the window, width / height. Its logarithm is uniformly distributed. If ten "
             "windows in a row do not fit into the image, the largest one at its center that has a ratio in this range "
             "is taken.")
        .at_least(0.01)
        .at_most(100);
    options
        .add(
            "interpolation", &interpolation,
            "Interpolation of the image: nearest, linear, cubic (as in OpenCV), or area: the mean over the area a "
            "pixel covers when shrinking, which avoids aliasing, and linear when enlarging. Labels always use nearest.")
        .one_of({"nearest", "linear", "cubic", "area"});
  }
  void check(sectile::Problems& problems) const {
    if (scale[0] > scale[1]) problems.add("scale", "the minimum is greater than the maximum");
    if (ratio[0] > ratio[1]) problems.add("ratio", "the minimum is greater than the maximum");
  }
};

class RandomResizedCrop final : public sectile::GeometricTransform {
 public:
  explicit RandomResizedCrop(const RandomResizedCropOptions& options) : options_(options) {}

 protected:
  sectile::Warp warp(const sectile::Sample& sample, sectile::Draw& draw) const override {
    const Extent from = sectile::extent(sample.image);
    const cv::Rect window = drawn_window(from, draw);
    const auto crop = sectile::Warp::crop(window.x, window.y, 0, {from.depth, window.height, window.width});
    auto resize = sectile::Warp::resize(crop.size, {from.depth, options_.size[0], options_.size[1]});
    resize.interpolation = options_.interpolation;
    return sectile::fused(crop, resize);
  }

 private:
  cv::Rect drawn_window(const Extent& from, sectile::Draw& draw) const {
    const double area = static_cast<double>(from.height) * from.width;
    for (int tries = 0; tries < kTries; ++tries) {
      const double part = area * draw.random.uniform(options_.scale[0], options_.scale[1]);
      const double ratio = std::exp(draw.random.uniform(std::log(options_.ratio[0]), std::log(options_.ratio[1])));
      const auto width = static_cast<int>(std::lround(std::sqrt(part * ratio)));
      const auto height = static_cast<int>(std::lround(std::sqrt(part / ratio)));
      if (width < 1 || width > from.width || height < 1 || height > from.height) continue;
      const auto y = static_cast<int>(draw.random.below(from.height - height + 1));
      const auto x = static_cast<int>(draw.random.below(from.width - width + 1));
      return {x, y, width, height};
    }
    return central_window(from);
  }

  cv::Rect central_window(const Extent& from) const {
    const double ratio = static_cast<double>(from.width) / from.height;
    int width = from.width, height = from.height;
    if (ratio < options_.ratio[0])
      height = std::clamp(static_cast<int>(std::lround(width / options_.ratio[0])), 1, from.height);
    if (ratio > options_.ratio[1])
      width = std::clamp(static_cast<int>(std::lround(height * options_.ratio[1])), 1, from.width);
    return {(from.width - width) / 2, (from.height - height) / 2, width, height};
  }

  RandomResizedCropOptions options_;
};

}  // namespace

SECTILE_PLUGIN("1.0.0", sectile::transform<RandomResizedCrop, RandomResizedCropOptions>(
                            "random_resized_crop",
                            "Cuts a window of random size, shape and place, and resizes it to a fixed size."))
