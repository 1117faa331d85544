// Gaussian blur of random strength with the kernel of albumentations' GaussianBlur, whose size without blur_limit is
// that of Pillow's: 2 * floor(3.5 * sigma) + 1. The edge is mirrored, and volumes are blurred slice by slice.
#include <array>

#include <opencv2/imgproc.hpp>

#include <sectile/transform.h>
#include <sectile/transforms/pixel_values.h>

namespace {

constexpr int kLargestKernel = 1001, kLargestSigma = 100;
constexpr double kReach = 3.5;  // standard deviations on each side, as in Pillow
constexpr int kEdge =
    cv::BORDER_REFLECT_101 | cv::BORDER_ISOLATED;  // isolated: the image may be a view of a larger one

struct GaussianBlurOptions {
  std::array<int, 2> blur_limit = {0, 0};
  std::array<double, 2> sigma_limit = {0.5, 3};
  double probability = 0.5;

  void declare(sectile::Options& options) {
    options
        .add(
            "blur_limit", &blur_limit,
            "[min, max] width of the kernel in pixels. An even one is made odd by adding 1. 0: as wide as sigma needs, "
            "3.5 sigma on each side.")
        .at_least(0)
        .at_most(kLargestKernel);
    options.add("sigma_limit", &sigma_limit, "[min, max] standard deviation of the kernel, in pixels.")
        .at_least(0)
        .at_most(kLargestSigma);
    options.add("probability", &probability, "Probability of applying the transform.").at_least(0).at_most(1);
  }
  void check(sectile::Problems& problems) const {
    if (blur_limit[0] > blur_limit[1]) problems.add("blur_limit", "the minimum is greater than the maximum");
    if (sigma_limit[0] > sigma_limit[1]) problems.add("sigma_limit", "the minimum is greater than the maximum");
  }
};

class GaussianBlur final : public sectile::Transform {
 public:
  explicit GaussianBlur(const GaussianBlurOptions& options) : options_(options) {}

  void apply(sectile::Sample& sample, sectile::Draw& draw) const override {
    if (!draw.random.chance(options_.probability) || sample.image.empty()) return;
    const double sigma = draw.random.uniform(options_.sigma_limit[0], options_.sigma_limit[1]);
    const int size = kernel_size(sigma, draw.random);
    if (sigma <= 0 || size == 1) return;
    // As in albumentations. cv::GaussianBlur is slower for 8 bits.
    const cv::Mat kernel = cv::getGaussianKernel(size, sigma, CV_32F);
    sample.image = sectile::in_groups(sample.image, [&](const cv::Mat& from, cv::Mat to) {
      cv::sepFilter2D(from, to, -1, kernel, kernel, cv::Point(-1, -1), 0, kEdge);
    });
  }

 private:
  int kernel_size(double sigma, sectile::Random& random) const {
    const auto [least, most] = options_.blur_limit;
    const int drawn = least + static_cast<int>(random.below(most - least + 1));
    return drawn == 0 ? 2 * static_cast<int>(kReach * sigma) + 1 : drawn | 1;
  }

  GaussianBlurOptions options_;
};

}  // namespace

SECTILE_PLUGIN("1.0.0", sectile::transform<GaussianBlur, GaussianBlurOptions>(
                            "gaussian_blur", "Blurs the image with a Gaussian of random width."))
