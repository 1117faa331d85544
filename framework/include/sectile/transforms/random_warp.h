// What geometric transforms have in common: the options that say what is outside the sample and how it is sampled, and
// warps that do the same in an image or in each slice of a volume.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <numbers>
#include <string>
#include <vector>

#include <opencv2/core.hpp>

#include <sectile/transform.h>

namespace sectile {

// A transform declares them among its options.
struct FillOptions {
  std::vector<double> fill = {0};
  std::string label_fill{};

  void declare(Options& options) {
    options
        .add("fill", &fill,
             "Pixel value outside the image: one number for all channels, or a list with one per channel.")
        .at_least(-1e9)
        .at_most(1e9)
        .also_single()
        .not_empty();
    options.add("label_fill", &label_fill, "Class outside the image. Default: ignored.");
  }
};

class FillValues {
 public:
  // Throws OptionError for a class that the data does not have.
  FillValues(const FillOptions& options, const BuildContext& context) : image_(options.fill) {
    if (!options.label_fill.empty())
      labels_ = static_cast<std::int16_t>(context.class_number(options.label_fill, "label_fill"));
  }
  void set(Warp& warp) const {
    warp.image_fill = image_;
    warp.label_fill = labels_;
  }

 private:
  std::vector<double> image_;
  std::int16_t labels_ = kIgnore;
};

// Of a transform that moves no row as a whole, and is not applied to every sample.
struct RandomWarpOptions {
  double probability = 0.5;
  Interpolation interpolation = Interpolation::linear;
  FillOptions outside{};

  void declare(Options& options) {
    options.add("probability", &probability, "Probability of applying the transform.").at_least(0).at_most(1);
    options
        .add("interpolation", &interpolation,
             "Interpolation of the image: nearest, linear, or cubic, as in OpenCV. Labels always use nearest.")
        .one_of({"nearest", "linear", "cubic"});
    outside.declare(options);
  }
};

class RandomWarp : public GeometricTransform {
 public:
  RandomWarp(const RandomWarpOptions& options, const BuildContext& context)
      : probability_(options.probability), interpolation_(options.interpolation), fill_(options.outside, context) {}

  Warp warp(const Sample& sample, Draw& draw) const final {
    const bool applied = draw.random.chance(probability_);
    Warp warp = applied ? drawn(sample, draw) : Warp::crop(0, 0, 0, extent(sample.image));
    if (applied) warp.interpolation = interpolation_;
    fill_.set(warp);  // of any warp, so that a wrong number of values is refused at the first sample
    return warp;
  }

 protected:
  // The geometry of one application.
  virtual Warp drawn(const Sample& sample, Draw& draw) const = 0;

 private:
  double probability_;
  Interpolation interpolation_;
  FillValues fill_;
};

// What a transform that rotates makes of a box without a mask. For Warp::boxes_are_ellipses.
enum class RotateMethod { largest_box, ellipse };

inline void declare_rotate_method(RotateMethod* method, Options& options) {
  options
      .add("rotate_method", method,
           "What the box of an object without a mask becomes: largest_box, the bounding box of its rotated corners, or "
           "ellipse, that of the rotated ellipse inside it, which is smaller. With a mask, a box is that of the mask.")
      .one_of({"largest_box", "ellipse"});
}

// A matrix of positions (x, y, 1), as one of (x, y, z, 1) that leaves z as it is. Numbers that are whole but for
// rounding become whole, so that turns by 90 and 180 degrees move whole pixels.
inline cv::Matx44d in_plane(const cv::Matx33d& matrix) {
  constexpr double kRoundingError = 1e-12;
  cv::Matx33d m = matrix;
  for (double& value : m.val)
    if (std::abs(value - std::round(value)) <= kRoundingError) value = std::round(value);
  return {m(0, 0), m(0, 1), 0, m(0, 2),  //
          m(1, 0), m(1, 1), 0, m(1, 2),  //
          0,       0,       1, 0,        //
          m(2, 0), m(2, 1), 0, m(2, 2)};
}

// Matrices of positions (x, y, 1).
inline cv::Matx33d translation(double x, double y) { return {1, 0, x, 0, 1, y, 0, 0, 1}; }
inline cv::Matx33d scaling(double x, double y) { return {x, 0, 0, 0, y, 0, 0, 0, 1}; }
// By an angle in degrees, counter-clockwise to the eye: y is down. Exact for multiples of 90 degrees.
inline cv::Matx33d rotation(double degrees) {
  const auto exact = [](double value) {
    return std::abs(value - std::round(value)) < 1e-12 ? std::round(value) : value;
  };
  const double angle = degrees * std::numbers::pi / 180, sine = exact(std::sin(angle)), cosine = exact(std::cos(angle));
  return {cosine, sine, 0, -sine, cosine, 0, 0, 0, 1};
}

// A displacement that is the same in all slices. size: of the result. shift(column, row): a cv::Vec2f, in pixels, of
// the pixel whose center is at (column + 0.5, row + 0.5).
template <class Shift>
cv::Mat plane_displacement(const Sample& sample, const Extent& size, Shift shift) {
  const int sizes[] = {size.depth, size.height, size.width};
  cv::Mat made = sample.image.dims == 3 ? cv::Mat(3, sizes, CV_32FC3) : cv::Mat(size.height, size.width, CV_32FC3);
  auto* const first = made.ptr<cv::Vec3f>();
  auto* to = first;
  for (int y = 0; y < size.height; ++y)
    for (int x = 0; x < size.width; ++x) {
      const cv::Vec2f moved = shift(x, y);
      *to++ = cv::Vec3f(moved[0], moved[1], 0);
    }
  const auto slice = static_cast<std::size_t>(size.height) * static_cast<std::size_t>(size.width);
  for (int z = 1; z < size.depth; ++z) std::copy_n(first, slice, first + static_cast<std::size_t>(z) * slice);
  return made;
}

}  // namespace sectile
