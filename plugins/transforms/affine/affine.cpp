// Random scale, rotation, shear and translation around the center of the image: albumentations' Affine.
#include <algorithm>
#include <array>
#include <cmath>
#include <numbers>
#include <string>
#include <vector>

#include <sectile/error.h>
#include <sectile/transforms/random_warp.h>

namespace {

using sectile::Extent;

constexpr double kMostPixels = 1 << 29;  // of a result, as of resize

// What options give for one axis, or for both: [min, max].
using Range = std::array<double, 2>;

template <class T>
Range range(const std::vector<T>& given, std::size_t axis) {
  const auto at = [&](std::size_t i) { return static_cast<double>(given[i]); };
  if (given.empty()) return {0, 0};
  if (given.size() == 1) return {at(0), at(0)};
  const std::size_t first = given.size() == 4 ? 2 * axis : 0;
  return {at(first), at(first + 1)};
}

struct AffineOptions {
  std::vector<double> scale = {1};
  std::vector<double> translate_percent;
  std::vector<int> translate_px;
  std::vector<double> rotate = {0};
  std::vector<double> shear = {0};
  bool keep_ratio = false;
  bool balanced_scale = false;
  bool fit_output = false;
  sectile::RotateMethod rotate_method = sectile::RotateMethod::largest_box;
  sectile::RandomWarpOptions warping{};

  void declare(sectile::Options& options) {
    options
        .add("scale", &scale,
             "Scale factor, greater than 1 to enlarge what is shown: one number, [min, max], from which width and "
             "height each get their own value, or [x_min, x_max, y_min, y_max].")
        .at_least(0.01)
        .at_most(100)
        .also_single()
        .not_empty();
    options
        .add("translate_percent", &translate_percent,
             "Translation as a fraction of width and height, not in percent, to the right and down; cut to whole "
             "pixels. "
             "One number, [min, max] for each axis, or [x_min, x_max, y_min, y_max]. Default: none.")
        .at_least(-1)
        .at_most(1)
        .also_single();
    options
        .add("translate_px", &translate_px,
             "Instead: translation in whole pixels, in the same forms, including the maximum. Default: none.")
        .at_least(-(1 << 20))
        .at_most(1 << 20)
        .also_single();
    options.add("rotate", &rotate, "Angle in degrees, counter-clockwise: one number, or [min, max].")
        .at_least(-360)
        .at_most(360)
        .also_single()
        .not_empty();
    options
        .add("shear", &shear,
             "Angle of shear in degrees, along x and along y: one number, [min, max] for each axis, or [x_min, x_max, "
             "y_min, y_max]. The largest angles of both axes are less than 90 degrees together.")
        .at_least(-89)
        .at_most(89)
        .also_single()
        .not_empty();
    options.add("keep_ratio", &keep_ratio, "If true, width and height get the same scale factor.");
    options.add("balanced_scale", &balanced_scale,
                "If true, images shrink as often as they grow: the scale factor is drawn from below 1 or from above 1 "
                "with equal probability. If false, it is uniformly distributed over the whole range.");
    options.add("fit_output", &fit_output,
                "If true, the result has the size that shows the whole image. If false, it has the image's size.");
    sectile::declare_rotate_method(&rotate_method, options);
    warping.declare(options);
  }
  void check(sectile::Problems& problems) const {
    check_form(problems, "scale", scale, true);
    check_form(problems, "translate_percent", translate_percent, true);
    check_form(problems, "translate_px", translate_px, true);
    check_form(problems, "rotate", rotate, false);
    check_form(problems, "shear", shear, true);
    if (!translate_percent.empty() && !translate_px.empty())
      problems.add("translate_px", "is given besides \"translate_percent\": remove one of the two");
    for (const bool percent : {true, false})
      if (fit_output && !(percent ? translate_percent.empty() : translate_px.empty()))
        problems.add(percent ? "translate_percent" : "translate_px",
                     "has no effect with \"fit_output\", which shows the whole image: remove one of the two");
    if (keep_ratio && range(scale, 0) != range(scale, 1))
      problems.add("scale", "differs between the axes, and \"keep_ratio\" is set: give one number or [min, max]");
    const auto largest = [&](std::size_t axis) {
      return std::max(std::abs(range(shear, axis)[0]), std::abs(range(shear, axis)[1]));
    };
    if (largest(0) + largest(1) >= 90)
      problems.add("shear",
                   "reaches 90 degrees with both axes together, which leaves only a line of the image: "
                   "expected less");
  }

 private:
  template <class T>
  static void check_form(sectile::Problems& problems, const char* option, const std::vector<T>& given, bool two_axes) {
    const std::size_t count = given.size();
    if (count > 2 && !(two_axes && count == 4))
      return problems.add(option, "has " + std::to_string(count) + " values; expected one number" +
                                      (two_axes ? ", [min, max] or [x_min, x_max, y_min, y_max]" : " or [min, max]"));
    for (std::size_t i = 0; i + 1 < count; i += 2)
      if (given[i] > given[i + 1]) problems.add(option, "a minimum is greater than its maximum");
  }
};

double drawn_from(const Range& given, sectile::Draw& draw) { return draw.random.uniform(given[0], given[1]); }

double drawn_balanced(const Range& given, sectile::Draw& draw) {
  const bool shrinks = given[0] < 1;
  const bool grows = given[1] > 1;
  if (shrinks && grows && draw.random.chance(0.5)) return drawn_from({given[0], 1}, draw);
  return drawn_from(shrinks && grows ? Range{1, given[1]} : given, draw);
}

// A side that is a whole number but for rounding does not grow by a pixel.
double whole_side(double length) { return std::max(1., std::ceil(length - 1e-9)); }

double tangent(double degrees) { return std::tan(degrees * std::numbers::pi / 180); }

class Affine final : public sectile::RandomWarp {
 public:
  Affine(const AffineOptions& options, const sectile::BuildContext& context)
      : RandomWarp(options.warping, context), options_(options) {}

 protected:
  sectile::Warp drawn(const sectile::Sample& sample, sectile::Draw& draw) const override {
    const Extent from = sectile::extent(sample.image);
    const cv::Matx33d to_result = matrix(from, draw);
    cv::Matx33d to_input = to_result.inv();
    sectile::Warp warp;
    warp.size = from;
    if (options_.fit_output) {
      double low[2] = {1e300, 1e300}, high[2] = {-1e300, -1e300};
      for (const double x : {0, from.width})
        for (const double y : {0, from.height})
          for (int axis = 0; axis < 2; ++axis) {
            const double at = to_result(axis, 0) * x + to_result(axis, 1) * y + to_result(axis, 2);
            low[axis] = std::min(low[axis], at);
            high[axis] = std::max(high[axis], at);
          }
      const double width = whole_side(high[0] - low[0]), height = whole_side(high[1] - low[1]);
      check_size(width, height, sample);
      warp.size.width = static_cast<int>(width), warp.size.height = static_cast<int>(height);
      // The image in the middle.
      to_input = to_input * sectile::translation((low[0] + high[0] - width) / 2, (low[1] + high[1] - height) / 2);
    }
    warp.to_input = sectile::in_plane(to_input);
    warp.boxes_are_ellipses = options_.rotate_method == sectile::RotateMethod::ellipse;
    return warp;
  }

 private:
  // From positions of the image to those of the result, before it is fitted.
  cv::Matx33d matrix(const Extent& from, sectile::Draw& draw) const {
    const double x = from.width / 2., y = from.height / 2.;
    const cv::Vec2d shift = translation(from, draw);
    const double shear_x = tangent(-drawn_from(range(options_.shear, 0), draw));
    const double shear_y = tangent(-drawn_from(range(options_.shear, 1), draw));
    const double scale_x = scale(0, draw), scale_y = options_.keep_ratio ? scale_x : scale(1, draw);
    const cv::Matx33d turn = sectile::rotation(drawn_from(range(options_.rotate, 0), draw));
    const cv::Matx33d shear{1, shear_x, 0, shear_y, 1, 0, 0, 0, 1};
    return sectile::translation(x + shift[0], y + shift[1]) * shear * turn * sectile::scaling(scale_x, scale_y) *
           sectile::translation(-x, -y);
  }

  cv::Vec2d translation(const Extent& from, sectile::Draw& draw) const {
    cv::Vec2d shift;
    for (int axis = 0; axis < 2; ++axis) {
      const auto number = static_cast<std::size_t>(axis);
      if (!options_.translate_px.empty()) {
        const Range pixels = range(options_.translate_px, number);
        const auto count = static_cast<std::int64_t>(pixels[1] - pixels[0]) + 1;
        shift[axis] = pixels[0] + static_cast<double>(draw.random.below(count));
      } else {
        const double fraction = drawn_from(range(options_.translate_percent, number), draw);
        shift[axis] = std::trunc(fraction * (axis == 0 ? from.width : from.height));
      }
    }
    return shift;
  }

  double scale(std::size_t axis, sectile::Draw& draw) const {
    const Range given = range(options_.scale, axis);
    return options_.balanced_scale ? drawn_balanced(given, draw) : drawn_from(given, draw);
  }

  static void check_size(double width, double height, const sectile::Sample& sample) {
    if (width * height > kMostPixels)
      throw sectile::DataError(sample.id, "would become " + std::to_string(static_cast<std::int64_t>(height)) + " x " +
                                              std::to_string(static_cast<std::int64_t>(width)) +
                                              " pixels by affine's \"fit_output\", and up to " +
                                              std::to_string(static_cast<int>(kMostPixels)) +
                                              " are supported: make \"scale\" or \"shear\" smaller");
  }

  AffineOptions options_;
};

}  // namespace

SECTILE_PLUGIN("1.0.0",
               sectile::transform<Affine, AffineOptions>("affine",
                                                         "Scales, rotates, shears and translates by random amounts."))
