// The distortion of a lens: albumentations' OpticalDistortion, but with the center in the middle of the image. There it
// is half a pixel beside it, and its camera moves the whole image by that. The camera is OpenCV's model
// (cv::initUndistortRectifyMap) with focal lengths of the sides of the image and k1 = k2 = k.
#include <array>

#include <sectile/transforms/random_warp.h>

namespace {

enum class Mode { camera, fisheye };

struct OpticalDistortionOptions {
  std::array<double, 2> distort_limit = {-0.05, 0.05};
  Mode mode = Mode::camera;
  sectile::RandomWarpOptions warping{};

  void declare(sectile::Options& options) {
    options
        .add("distort_limit", &distort_limit,
             "[min, max] of the coefficient k, uniformly distributed. Usual: up to 0.05 for camera, up to 0.3 for "
             "fisheye. Of a volume, all slices are distorted alike.")
        .at_least(-1)
        .at_most(1);
    options
        .add("mode", &mode,
             "What the distance r of a pixel from the center is multiplied by: camera, 1 + k r^2 + k r^4 (r in widths "
             "and heights of the image), or fisheye, 1 + k r^2 (r in half diagonals).")
        .one_of({"camera", "fisheye"});
    warping.declare(options);
  }
  void check(sectile::Problems& problems) const {
    if (distort_limit[0] > distort_limit[1]) problems.add("distort_limit", "the minimum is greater than the maximum");
  }
};

class OpticalDistortion final : public sectile::RandomWarp {
 public:
  OpticalDistortion(const OpticalDistortionOptions& options, const sectile::BuildContext& context)
      : RandomWarp(options.warping, context), options_(options) {}

 protected:
  sectile::Warp drawn(const sectile::Sample& sample, sectile::Draw& draw) const override {
    sectile::Warp warp = sectile::Warp::crop(0, 0, 0, sectile::extent(sample.image));
    const double k = draw.random.uniform(options_.distort_limit[0], options_.distort_limit[1]);
    const double width = warp.size.width, height = warp.size.height;
    const bool camera = options_.mode == Mode::camera;
    const double squared_half_diagonal = (width * width + height * height) / 4;
    // The square of r of one pixel to the right, and of one down.
    const double of_x = 1 / (camera ? width * width : squared_half_diagonal);
    const double of_y = 1 / (camera ? height * height : squared_half_diagonal);
    const double k2 = camera ? k : 0;
    warp.displacement = sectile::plane_displacement(sample, warp.size, [=](int column, int row) {
      const double x = column + 0.5 - width / 2, y = row + 0.5 - height / 2;
      const double squared = x * x * of_x + y * y * of_y;
      const double growth = k * squared + k2 * squared * squared;
      return cv::Vec2f(static_cast<float>(x * growth), static_cast<float>(y * growth));
    });
    return warp;
  }

 private:
  OpticalDistortionOptions options_;
};

}  // namespace

SECTILE_PLUGIN("1.0.0", sectile::transform<OpticalDistortion, OpticalDistortionOptions>(
                            "optical_distortion", "Distorts like a lens, as a barrel or a pincushion."))
