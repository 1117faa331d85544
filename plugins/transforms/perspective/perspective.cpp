// Shows a quadrilateral whose corners lie near those of the image: imgaug's PerspectiveTransform, with the options of
// albumentations' Perspective. In albumentations 2.0.8 the quadrilateral is larger than the result, so that its right
// and lower parts are cut off; here it fills the result, as in imgaug.
#include <algorithm>
#include <array>
#include <cmath>
#include <numbers>
#include <optional>

#include <sectile/transforms/random_warp.h>

namespace {

using sectile::Extent;

constexpr double kMostJitter = 0.32;  // of both libraries: the corners stay apart
constexpr int kTries = 10;
constexpr double kMostGrowth = 4;
constexpr double kRounding = 1e-9;  // of sides that are whole numbers
constexpr float kFar = 1e6f;        // outside of all images

struct PerspectiveOptions {
  std::array<double, 2> scale = {0.05, 0.1};
  bool keep_size = true;
  bool fit_output = false;
  sectile::RandomWarpOptions warping{};

  void declare(sectile::Options& options) {
    options
        .add("scale", &scale,
             "[min, max] of the standard deviation of the corners' distances from those of the image, as fractions of "
             "width and height. Distances are normally distributed, and start again from 0 at 0.32. Of a volume, all "
             "slices are warped alike.")
        .at_least(0)
        .at_most(1);
    options.add("keep_size", &keep_size,
                "If true, the result has the image's size. If false, it has the size of the part that it shows.");
    options.add("fit_output", &fit_output,
                "If true, the whole image is shown, with what is outside around it, instead of the part between the "
                "four corners. Perspectives in which it is more than four times as wide or high as that part are drawn "
                "again; after ten tries, the image is not changed.");
    warping.declare(options);
  }
  void check(sectile::Problems& problems) const {
    if (scale[0] > scale[1]) problems.add("scale", "the minimum is greater than the maximum");
  }
};

using Corners = std::array<cv::Vec2d, 4>;  // clockwise, from the upper left

// Box and Muller 1958.
double normal(sectile::Draw& draw) {
  const double radius = std::sqrt(-2 * std::log(1 - draw.random.uniform()));
  return radius * std::cos(2 * std::numbers::pi * draw.random.uniform());
}

Corners drawn_corners(const Extent& from, double scale, sectile::Draw& draw) {
  Corners corners{cv::Vec2d(0, 0), cv::Vec2d(1, 0), cv::Vec2d(1, 1), cv::Vec2d(0, 1)};
  for (auto& corner : corners)
    for (int axis = 0; axis < 2; ++axis) {
      const double jitter = std::fmod(std::abs(scale * normal(draw)), kMostJitter);
      corner[axis] = std::abs(corner[axis] - jitter) * (axis == 0 ? from.width : from.height);
    }
  return corners;
}

// From the square of side 1 to a convex quadrilateral: Heckbert 1989, "Fundamentals of texture mapping and image
// warping", 2.2.3.
cv::Matx33d square_to(const Corners& to) {
  const cv::Vec2d sum = to[0] - to[1] + to[2] - to[3], right = to[1] - to[2], down = to[3] - to[2];
  const auto cross = [](const cv::Vec2d& a, const cv::Vec2d& b) { return a[0] * b[1] - a[1] * b[0]; };
  const double g = cross(sum, down) / cross(right, down), h = cross(right, sum) / cross(right, down);
  const cv::Vec2d x = to[1] - to[0] + g * to[1], y = to[3] - to[0] + h * to[3];
  return {x[0], y[0], to[0][0], x[1], y[1], to[0][1], g, h, 1};
}

// What the result shows, in the coordinates of the square.
struct View {
  cv::Vec2d low{0, 0}, high{1, 1};
};

// The whole image, unless it is too large, or behind the viewer.
std::optional<View> whole(const cv::Matx33d& square_to_image, const Extent& from) {
  const cv::Matx33d to_square = square_to_image.inv();
  View view;
  for (const double x : {0, from.width})
    for (const double y : {0, from.height}) {
      const cv::Vec3d at = to_square * cv::Vec3d(x, y, 1);
      if (!(at[2] > 0)) return {};
      for (int axis = 0; axis < 2; ++axis) {
        view.low[axis] = std::min(view.low[axis], at[axis] / at[2]);
        view.high[axis] = std::max(view.high[axis], at[axis] / at[2]);
      }
    }
  const cv::Vec2d size = view.high - view.low;
  if (std::max(size[0], size[1]) > kMostGrowth) return {};
  return view;
}

double length(const cv::Vec2d& from, const cv::Vec2d& to) { return cv::norm(from - to); }

class Perspective final : public sectile::RandomWarp {
 public:
  Perspective(const PerspectiveOptions& options, const sectile::BuildContext& context)
      : RandomWarp(options.warping, context), options_(options) {}

 protected:
  sectile::Warp drawn(const sectile::Sample& sample, sectile::Draw& draw) const override {
    const Extent from = sectile::extent(sample.image);
    for (int tries = 0; tries < kTries; ++tries) {
      const double scale = draw.random.uniform(options_.scale[0], options_.scale[1]);
      const Corners corners = drawn_corners(from, scale, draw);
      const cv::Matx33d to_image = square_to(corners);
      const auto view = options_.fit_output ? whole(to_image, from) : View{};
      if (view) return warp_of(sample, corners, to_image, *view);
    }
    return sectile::Warp::crop(0, 0, 0, from);
  }

 private:
  sectile::Warp warp_of(const sectile::Sample& sample, const Corners& corners, const cv::Matx33d& to_image,
                        const View& view) const {
    sectile::Warp warp;
    warp.size = sectile::extent(sample.image);
    const cv::Vec2d shown = view.high - view.low;
    if (!options_.keep_size) {
      const double width = std::max(length(corners[0], corners[1]), length(corners[3], corners[2])) * shown[0];
      const double height = std::max(length(corners[0], corners[3]), length(corners[1], corners[2])) * shown[1];
      warp.size.width = std::max(1, static_cast<int>(width + kRounding));
      warp.size.height = std::max(1, static_cast<int>(height + kRounding));
    }
    const cv::Matx33d matrix = to_image * sectile::translation(view.low[0], view.low[1]) *
                               sectile::scaling(shown[0] / warp.size.width, shown[1] / warp.size.height);
    if (sample.image.dims != 3) {
      warp.to_input = sectile::in_plane(matrix);
      return warp;
    }
    // A matrix with a perspective is for images.
    warp.displacement = sectile::plane_displacement(sample, warp.size, [&](int column, int row) {
      const cv::Vec3d at = matrix * cv::Vec3d(column + 0.5, row + 0.5, 1);
      if (!(at[2] > 0)) return cv::Vec2f(-kFar, -kFar);  // behind the viewer
      return cv::Vec2f(static_cast<float>(at[0] / at[2] - column - 0.5), static_cast<float>(at[1] / at[2] - row - 0.5));
    });
    return warp;
  }

  PerspectiveOptions options_;
};

}  // namespace

SECTILE_PLUGIN("1.0.0",
               sectile::transform<Perspective, PerspectiveOptions>("perspective",
                                                                   "Shows the image from a random point of view."))
