// Motion blur along a line of random length, angle and place, with the kernel of albumentations' MotionBlur. The edge
// is mirrored, and volumes are blurred slice by slice.
#include <algorithm>
#include <array>
#include <cmath>

#include <opencv2/imgproc.hpp>

#include <sectile/transform.h>
#include <sectile/transforms/pixel_values.h>

namespace {

constexpr int kSmallestKernel = 3, kLargestKernel = 1001;
constexpr int kEdge =
    cv::BORDER_REFLECT_101 | cv::BORDER_ISOLATED;  // isolated: the image may be a view of a larger one

struct MotionBlurOptions {
  std::array<int, 2> blur_limit = {3, 7};
  std::array<double, 2> angle_range = {0, 360};
  std::array<double, 2> direction_range = {-1, 1};
  bool allow_shifted = true;
  double probability = 0.5;

  void declare(sectile::Options& options) {
    options
        .add("blur_limit", &blur_limit,
             "[min, max] width of the square kernel in pixels: how far a pixel smears. An even one is made odd by "
             "adding 1.")
        .at_least(kSmallestKernel)
        .at_most(kLargestKernel);
    options
        .add(
            "angle_range", &angle_range,
            "[min, max] angle of the line in degrees: 0 along x, 90 along y, 45 from the top left to the bottom right.")
        .at_least(0)
        .at_most(360);
    options
        .add(
            "direction_range", &direction_range,
            "[min, max] part of the line: 0 the whole line, on both sides of the pixel, 1 only the side that the angle "
            "points to, -1 only the other one.")
        .at_least(-1)
        .at_most(1);
    options.add("allow_shifted", &allow_shifted,
                "Move the line by up to a quarter of the kernel along both axes, so that the image also moves a little "
                "against its labels.");
    options.add("probability", &probability, "Probability of applying the transform.").at_least(0).at_most(1);
  }
  void check(sectile::Problems& problems) const {
    if (blur_limit[0] > blur_limit[1]) problems.add("blur_limit", "the minimum is greater than the maximum");
    if (angle_range[0] > angle_range[1]) problems.add("angle_range", "the minimum is greater than the maximum");
    if (direction_range[0] > direction_range[1])
      problems.add("direction_range", "the minimum is greater than the maximum");
  }
};

// Pixels that the line passes weigh the same, however often it does; what would be outside the kernel lies on its edge.
// shift: in pixels.
cv::Mat line_kernel(int size, double degrees, double direction, const cv::Point2d& shift) {
  const int half = size / 2;
  const double start = -half * (1 - std::max(direction, 0.0)), end = half * (1 + std::min(direction, 0.0));
  const double along_x = std::cos(degrees * CV_PI / 180), along_y = std::sin(degrees * CV_PI / 180);
  const auto pixel = [&](double position) {
    return static_cast<int>(std::clamp(std::nearbyint(position), 0.0, size - 1.0));
  };
  cv::Mat kernel(size, size, CV_32F, cv::Scalar(0));
  for (int i = 0; i < size; ++i) {
    const double at = start + i * ((end - start) / (size - 1));
    kernel.at<float>(pixel(half + along_y * at + shift.y), pixel(half + along_x * at + shift.x)) = 1;
  }
  kernel.convertTo(kernel, CV_32F, 1.0 / cv::countNonZero(kernel));
  return kernel;
}

class MotionBlur final : public sectile::Transform {
 public:
  explicit MotionBlur(const MotionBlurOptions& options) : options_(options) {}

  void apply(sectile::Sample& sample, sectile::Draw& draw) const override {
    if (!draw.random.chance(options_.probability) || sample.image.empty()) return;
    const cv::Mat kernel = draw_kernel(draw.random);
    sample.image = sectile::in_groups(sample.image, [&](const cv::Mat& from, cv::Mat to) {
      cv::filter2D(from, to, -1, kernel, cv::Point(-1, -1), 0, kEdge);
    });
  }

 private:
  cv::Mat draw_kernel(sectile::Random& random) const {
    const int least = options_.blur_limit[0] | 1, most = options_.blur_limit[1] | 1;
    const int size = least + 2 * static_cast<int>(random.below((most - least) / 2 + 1));
    const double degrees = random.uniform(options_.angle_range[0], options_.angle_range[1]);
    const double direction = random.uniform(options_.direction_range[0], options_.direction_range[1]);
    cv::Point2d shift;
    if (options_.allow_shifted) {
      const double reach = size / 2 / 2.0;
      shift.x = random.uniform(-reach, reach);
      shift.y = random.uniform(-reach, reach);
    }
    return line_kernel(size, degrees, direction, shift);
  }

  MotionBlurOptions options_;
};

}  // namespace

SECTILE_PLUGIN("1.0.0",
               sectile::transform<MotionBlur, MotionBlurOptions>("motion_blur", "Blurs the image along a random line."))
