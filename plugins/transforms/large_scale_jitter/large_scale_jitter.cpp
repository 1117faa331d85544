// Large-scale jittering of Ghiasi et al. 2020, "Simple copy-paste is a strong data augmentation method for instance
// segmentation", with the rules of Detectron2's ResizeScale and FixedSizeCrop, as torchvision's ScaleJitter and
// FixedSizeCrop.
#include <algorithm>
#include <array>
#include <cmath>

#include <sectile/transforms/random_warp.h>

namespace {

using sectile::Extent;
using sectile::Interpolation;

struct LargeScaleJitterOptions {
  std::array<int, 2> target_size = {1024, 1024};
  std::array<double, 2> scale_range = {0.1, 2};
  Interpolation interpolation = Interpolation::linear;
  sectile::FillOptions outside{};

  void declare(sectile::Options& options) {
    options
        .add("target_size", &target_size,
             "Size of the result: [height, width] in pixels. Of a volume, all slices are changed alike, and its depth "
             "does not change.")
        .at_least(1)
        .at_most(1 << 20);
    options
        .add("scale_range", &scale_range,
             "[min, max] scale factor, uniformly distributed. At 1, the image just fits into target_size, at its own "
             "aspect ratio. What is larger is cropped at a random place; what is smaller is padded at the right and at "
             "the bottom.")
        .at_least(0.001)
        .at_most(100);
    options
        .add(
            "interpolation", &interpolation,
            "Interpolation of the image: nearest, linear, cubic (as in OpenCV), or area: the mean over the area a "
            "pixel covers when shrinking, which avoids aliasing, and linear when enlarging. Labels always use nearest.")
        .one_of({"nearest", "linear", "cubic", "area"});
    outside.declare(options);
  }
  void check(sectile::Problems& problems) const {
    if (scale_range[0] > scale_range[1]) problems.add("scale_range", "the minimum is greater than the maximum");
  }
};

class LargeScaleJitter final : public sectile::GeometricTransform {
 public:
  LargeScaleJitter(const LargeScaleJitterOptions& options, const sectile::BuildContext& context)
      : options_(options), fill_(options.outside, context) {}

 protected:
  sectile::Warp warp(const sectile::Sample& sample, sectile::Draw& draw) const override {
    const Extent from = sectile::extent(sample.image);
    const auto& [height, width] = options_.target_size;
    const double scale = draw.random.uniform(options_.scale_range[0], options_.scale_range[1]) *
                         std::min(static_cast<double>(height) / from.height, static_cast<double>(width) / from.width);
    const auto scaled = [scale](int side) { return std::max(1, static_cast<int>(std::lround(side * scale))); };
    const Extent resized{from.depth, scaled(from.height), scaled(from.width)};
    const double place = draw.random.uniform();  // one number for both axes, as in both libraries
    const auto start = [place](int side, int target) {
      return static_cast<int>(std::lround(place * std::max(0, side - target)));
    };
    // The edge of the resized image is that of the image itself, so that one warp pads like two.
    const auto crop =
        sectile::Warp::crop(start(resized.width, width), start(resized.height, height), 0, {from.depth, height, width});
    sectile::Warp warp = sectile::Warp::resize(from, resized);
    warp.to_input = warp.to_input * crop.to_input;
    warp.size = crop.size;
    warp.interpolation = options_.interpolation;
    fill_.set(warp);
    return warp;
  }

 private:
  LargeScaleJitterOptions options_;
  sectile::FillValues fill_;
};

}  // namespace

SECTILE_PLUGIN("1.0.0", sectile::transform<LargeScaleJitter, LargeScaleJitterOptions>(
                            "large_scale_jitter",
                            "Resizes by a random factor over a wide range, then crops or pads to a fixed size."))
