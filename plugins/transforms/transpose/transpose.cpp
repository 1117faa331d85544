// Swaps height and width: the mirror image at the diagonal, as albumentations' Transpose.
#include <utility>

#include <sectile/transform.h>

namespace {

struct TransposeOptions {
  double probability = 0.5;

  void declare(sectile::Options& options) {
    options.add("probability", &probability, "Probability of applying the transform.").at_least(0).at_most(1);
  }
};

class Transpose final : public sectile::GeometricTransform {
 public:
  explicit Transpose(const TransposeOptions& options) : options_(options) {}

 protected:
  sectile::Warp warp(const sectile::Sample& sample, sectile::Draw& draw) const override {
    sectile::Warp warp = sectile::Warp::crop(0, 0, 0, sectile::extent(sample.image));
    if (!draw.random.chance(options_.probability)) return warp;
    std::swap(warp.size.height, warp.size.width);
    cv::Matx44d& to_input = warp.to_input;
    to_input(0, 0) = to_input(1, 1) = 0;
    to_input(0, 1) = to_input(1, 0) = 1;
    return warp;
  }

 private:
  TransposeOptions options_;
};

}  // namespace

SECTILE_PLUGIN("1.0.0", sectile::transform<Transpose, TransposeOptions>(
                            "transpose", "Swaps rows and columns; height and width change places."))
