// Flips images left to right.
#include <sectile/transform.h>

namespace {

struct HorizontalFlipOptions {
  double probability = 0.5;

  void declare(sectile::Options& options) {
    options.add("probability", &probability, "Probability of applying the transform.").at_least(0).at_most(1);
  }
};

class HorizontalFlip final : public sectile::GeometricTransform {
 public:
  explicit HorizontalFlip(const HorizontalFlipOptions& options) : options_(options) {}

 protected:
  sectile::Warp warp(const sectile::Sample& sample, sectile::Draw& draw) const override {
    const sectile::Extent size = sectile::extent(sample.image);
    return draw.random.chance(options_.probability) ? sectile::Warp::flip(size, 0) : sectile::Warp::crop(0, 0, 0, size);
  }

 private:
  HorizontalFlipOptions options_;
};

}  // namespace

SECTILE_PLUGIN("1.0.0",
               sectile::transform<HorizontalFlip, HorizontalFlipOptions>("horizontal_flip", "Mirrors left and right."))
