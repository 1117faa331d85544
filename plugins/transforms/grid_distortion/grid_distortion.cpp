// Stretches and squeezes the columns and rows of a grid: albumentations' GridDistortion. Its cells end at the grid's
// lines; in albumentations 2.0.8 each cell reaches one pixel further, so that even a distortion of 0 changes the image.
#include <algorithm>
#include <array>
#include <vector>

#include <sectile/transforms/random_warp.h>

namespace {

struct GridDistortionOptions {
  int num_steps = 5;
  std::array<double, 2> distort_limit = {-0.3, 0.3};
  bool normalized = true;
  sectile::RandomWarpOptions warping{};

  void declare(sectile::Options& options) {
    options
        .add(
            "num_steps", &num_steps,
            "Number of cells along each axis of the image; the remainder of its width and height is a further cell. Of "
            "a volume, all slices are distorted alike.")
        .at_least(1)
        .at_most(1000);
    options
        .add("distort_limit", &distort_limit,
             "[min, max] change of the length of the part of the image that a cell shows, as a fraction of the cell's "
             "length.")
        .at_least(-1)
        .at_most(1);
    options.add("normalized", &normalized,
                "If true, lengths are scaled so that the result shows all of the image and nothing from outside.");
    warping.declare(options);
  }
  void check(sectile::Problems& problems) const {
    if (distort_limit[0] > distort_limit[1]) problems.add("distort_limit", "the minimum is greater than the maximum");
  }
};

class GridDistortion final : public sectile::RandomWarp {
 public:
  GridDistortion(const GridDistortionOptions& options, const sectile::BuildContext& context)
      : RandomWarp(options.warping, context), options_(options) {}

 protected:
  sectile::Warp drawn(const sectile::Sample& sample, sectile::Draw& draw) const override {
    sectile::Warp warp = sectile::Warp::crop(0, 0, 0, sectile::extent(sample.image));
    const auto columns = drawn_shifts(warp.size.width, draw), rows = drawn_shifts(warp.size.height, draw);
    warp.displacement = sectile::plane_displacement(sample, warp.size, [&](int x, int y) {
      return cv::Vec2f(columns[static_cast<std::size_t>(x)], rows[static_cast<std::size_t>(y)]);
    });
    return warp;
  }

 private:
  // Of the centers of the pixels along one axis.
  std::vector<float> drawn_shifts(int length, sectile::Draw& draw) const {
    const int steps = std::min(options_.num_steps, length), cell = length / steps;
    std::vector<double> stretches;
    double shown = 0;
    for (int i = 0; i <= steps; ++i) {
      stretches.push_back(1 + draw.random.uniform(options_.distort_limit[0], options_.distort_limit[1]));
      shown += stretches.back() * (i < steps ? cell : length - steps * cell);
    }
    const double factor = options_.normalized && shown > 0 ? length / shown : 1;
    std::vector<float> shifts;
    double start = 0;  // of the cell, in the image
    for (int i = 0; i <= steps; ++i) {
      const int from = i * cell, to = i < steps ? from + cell : length;
      const double stretch = stretches[static_cast<std::size_t>(i)] * factor;
      for (int pixel = from; pixel < to; ++pixel)
        shifts.push_back(static_cast<float>(start + (pixel + 0.5 - from) * stretch - (pixel + 0.5)));
      start += (to - from) * stretch;
    }
    return shifts;
  }

  GridDistortionOptions options_;
};

}  // namespace

SECTILE_PLUGIN("1.0.0", sectile::transform<GridDistortion, GridDistortionOptions>(
                            "grid_distortion", "Stretches and squeezes the cells of a grid at random."))
