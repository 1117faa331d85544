// Rotation by a random angle around the center of the image: albumentations' Rotate.
#include <algorithm>
#include <array>
#include <cmath>

#include <opencv2/core/types.hpp>

#include <sectile/transforms/random_warp.h>

namespace {

using sectile::Extent;

struct RotateOptions {
  std::array<double, 2> limit = {-90, 90};
  bool crop_border = false;
  sectile::RotateMethod rotate_method = sectile::RotateMethod::largest_box;
  sectile::RandomWarpOptions warping{};

  void declare(sectile::Options& options) {
    options
        .add(
            "limit", &limit,
            "[min, max] angle in degrees, counter-clockwise, uniformly distributed. Of a volume, each slice is rotated "
            "in the plane of height and width.")
        .at_least(-360)
        .at_most(360);
    options.add(
        "crop_border", &crop_border,
        "If true, the result is cropped to the largest rectangle that shows nothing from outside the image (some "
        "pixels at its corners may, by rounding), so that its size differs from angle to angle. If false, it has the "
        "image's size.");
    sectile::declare_rotate_method(&rotate_method, options);
    warping.declare(options);
  }
  void check(sectile::Problems& problems) const {
    if (limit[0] > limit[1]) problems.add("limit", "the minimum is greater than the maximum");
  }
};

// The window of the rotated image that is the largest one without a border: the solution for axis-aligned rectangles in
// https://stackoverflow.com/questions/16702966/rotate-image-and-crop-out-black-borders, as in albumentations.
cv::Rect window_without_border(const Extent& from, double sine, double cosine) {
  constexpr double kRounding = 1e-9;  // of sides that are whole numbers
  const double width = from.width, height = from.height;
  const double s = std::abs(sine), c = std::abs(cosine);
  const double longer = std::max(width, height), shorter = std::min(width, height);
  double inner_width = 0, inner_height = 0;
  if (shorter <= 2 * s * c * longer || std::abs(s - c) < 1e-10) {  // two corners touch the longer side
    const double half = shorter / 2;
    inner_width = half / (width >= height ? s : c);
    inner_height = half / (width >= height ? c : s);
  } else {  // each corner touches one side
    const double cosine_of_double = c * c - s * s;
    inner_width = (width * c - height * s) / cosine_of_double;
    inner_height = (height * c - width * s) / cosine_of_double;
  }
  const auto cut = [&](double side, double inner, int& start, int& length) {
    start = std::max(0, static_cast<int>((side - inner) / 2 + kRounding));
    const int end = std::min(static_cast<int>(side), static_cast<int>((side + inner) / 2 + kRounding));
    start = std::min(start, static_cast<int>(side) - 1);
    length = std::max(1, end - start);  // something is left of the smallest image
  };
  cv::Rect window;
  cut(width, inner_width, window.x, window.width);
  cut(height, inner_height, window.y, window.height);
  return window;
}

class Rotate final : public sectile::RandomWarp {
 public:
  Rotate(const RotateOptions& options, const sectile::BuildContext& context)
      : RandomWarp(options.warping, context), options_(options) {}

 protected:
  sectile::Warp drawn(const sectile::Sample& sample, sectile::Draw& draw) const override {
    const Extent from = sectile::extent(sample.image);
    const double angle = draw.random.uniform(options_.limit[0], options_.limit[1]);
    const cv::Matx33d turn = sectile::rotation(angle);
    cv::Rect window(0, 0, from.width, from.height);
    if (options_.crop_border) window = window_without_border(from, turn(0, 1), turn(0, 0));
    const double x = from.width / 2., y = from.height / 2.;
    sectile::Warp warp;
    warp.size = {from.depth, window.height, window.width};
    warp.to_input =
        sectile::in_plane(sectile::translation(x, y) * turn.t() * sectile::translation(window.x - x, window.y - y));
    warp.boxes_are_ellipses = options_.rotate_method == sectile::RotateMethod::ellipse;
    return warp;
  }

 private:
  RotateOptions options_;
};

}  // namespace

SECTILE_PLUGIN("1.0.0", sectile::transform<Rotate, RotateOptions>("rotate", "Rotates by a random angle."))
