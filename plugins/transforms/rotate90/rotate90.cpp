// Rotates by multiples of 90 degrees, without interpolation: for images without a natural orientation.
#include <sectile/transform.h>

namespace {

struct Rotate90Options {
  double probability = 0.5;

  void declare(sectile::Options& options) {
    options
        .add("probability", &probability,
             "Probability of applying the transform; 90, 180 and 270 degrees are equally likely.")
        .at_least(0)
        .at_most(1);
  }
};

// In the plane of height and width, counter-clockwise.
sectile::Warp turn(const sectile::Extent& from, int quarters) {
  sectile::Warp warp;
  warp.size = quarters == 2 ? from : sectile::Extent{from.depth, from.width, from.height};
  cv::Matx44d& to_input = warp.to_input;
  if (quarters == 2) {
    to_input(0, 0) = to_input(1, 1) = -1;
    to_input(0, 3) = from.width, to_input(1, 3) = from.height;
    return warp;
  }
  to_input(0, 0) = to_input(1, 1) = 0;
  to_input(0, 1) = quarters == 1 ? -1 : 1;
  to_input(1, 0) = -to_input(0, 1);
  if (quarters == 1)
    to_input(0, 3) = from.width;
  else
    to_input(1, 3) = from.height;
  return warp;
}

class Rotate90 final : public sectile::GeometricTransform {
 public:
  explicit Rotate90(const Rotate90Options& options) : options_(options) {}

 protected:
  sectile::Warp warp(const sectile::Sample& sample, sectile::Draw& draw) const override {
    const sectile::Extent size = sectile::extent(sample.image);
    if (!draw.random.chance(options_.probability)) return sectile::Warp::crop(0, 0, 0, size);
    return turn(size, 1 + static_cast<int>(draw.random.below(3)));
  }

 private:
  Rotate90Options options_;
};

}  // namespace

SECTILE_PLUGIN("1.0.0", sectile::transform<Rotate90, Rotate90Options>(
                            "rotate90", "Turns by a random number of quarters; height and width may change places."))
