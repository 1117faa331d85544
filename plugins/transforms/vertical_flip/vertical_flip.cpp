// Flips images top to bottom: for images without a natural orientation, such as microscopy and aerial images.
#include <sectile/transform.h>

namespace {

struct VerticalFlipOptions {
  double probability = 0.5;

  void declare(sectile::Options& options) {
    options.add("probability", &probability, "Probability of applying the transform.").at_least(0).at_most(1);
  }
};

class VerticalFlip final : public sectile::GeometricTransform {
 public:
  explicit VerticalFlip(const VerticalFlipOptions& options) : options_(options) {}

 protected:
  sectile::Warp warp(const sectile::Sample& sample, sectile::Draw& draw) const override {
    const sectile::Extent size = sectile::extent(sample.image);
    return draw.random.chance(options_.probability) ? sectile::Warp::flip(size, 1) : sectile::Warp::crop(0, 0, 0, size);
  }

 private:
  VerticalFlipOptions options_;
};

}  // namespace

SECTILE_PLUGIN("1.0.0",
               sectile::transform<VerticalFlip, VerticalFlipOptions>("vertical_flip", "Mirrors top and bottom."))
