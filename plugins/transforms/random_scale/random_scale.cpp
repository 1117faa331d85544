// Resizes the image by a random factor: the scale jitter of semantic segmentation, before a crop.
#include <algorithm>
#include <array>
#include <cmath>

#include <sectile/transform.h>

namespace {

using sectile::Interpolation;

struct RandomScaleOptions {
  std::array<double, 2> range = {0.5, 2.0};
  double probability = 1;
  Interpolation interpolation = Interpolation::linear;

  void declare(sectile::Options& options) {
    options.add("range", &range, "[min, max] scale factor, uniformly distributed.").at_least(0.01);
    options.add("probability", &probability, "Probability of applying the transform.").at_least(0).at_most(1);
    options
        .add(
            "interpolation", &interpolation,
            "Interpolation of the image: nearest, linear, cubic (as in OpenCV), or area: the mean over the area a "
            "pixel covers when shrinking, which avoids aliasing, and linear when enlarging. Labels always use nearest.")
        .one_of({"nearest", "linear", "cubic", "area"});
  }
  void check(sectile::Problems& problems) const {
    if (range[0] > range[1]) problems.add("range", "the minimum is greater than the maximum");
  }
};

class RandomScale final : public sectile::GeometricTransform {
 public:
  explicit RandomScale(const RandomScaleOptions& options) : options_(options) {}

 protected:
  sectile::Warp warp(const sectile::Sample& sample, sectile::Draw& draw) const override {
    const sectile::Extent from = sectile::extent(sample.image);
    if (!draw.random.chance(options_.probability)) return sectile::Warp::resize(from, from);
    const double factor = draw.random.uniform(options_.range[0], options_.range[1]);
    const auto scaled = [factor](int size) { return std::max(1, static_cast<int>(std::lround(size * factor))); };
    const int depth = from.depth == 1 ? 1 : scaled(from.depth);
    auto warp = sectile::Warp::resize(from, {depth, scaled(from.height), scaled(from.width)});
    warp.interpolation = options_.interpolation;
    return warp;
  }

 private:
  RandomScaleOptions options_;
};

}  // namespace

SECTILE_PLUGIN("1.0.0", sectile::transform<RandomScale, RandomScaleOptions>(
                            "random_scale", "Resizes by a random factor that is the same for height and width."))
