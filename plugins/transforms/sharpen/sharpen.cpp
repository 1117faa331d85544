// Sharpening of random strength as in albumentations' Sharpen: by a Laplacian kernel, or by what a Gaussian blur takes
// away (unsharp masking). The edge is mirrored, and volumes are sharpened slice by slice.
#include <array>
#include <optional>
#include <string>

#include <opencv2/imgproc.hpp>

#include <sectile/transform.h>
#include <sectile/transforms/pixel_values.h>

namespace {

enum class Method { kernel, gaussian };

constexpr std::array<double, 2> kLightness = {0.5, 1};
constexpr int kKernelSize = 5, kLargestKernel = 1001, kLargestLightness = 1000, kLargestSigma = 100;
constexpr double kSigma = 1;
constexpr int kEdge =
    cv::BORDER_REFLECT_101 | cv::BORDER_ISOLATED;  // isolated: the image may be a view of a larger one

struct SharpenOptions {
  std::array<double, 2> alpha = {0.2, 0.5};
  Method method = Method::kernel;
  std::optional<std::array<double, 2>> lightness;
  std::optional<int> kernel_size;
  std::optional<double> sigma;
  double probability = 0.5;

  void declare(sectile::Options& options) {
    options.add("alpha", &alpha, "[min, max] strength: 0 leaves the image as it is.").at_least(0).at_most(1);
    options
        .add("method", &method,
             "kernel: mixes the image with its sum with its Laplacian of 3 x 3 pixels. gaussian: adds the difference "
             "from the blurred image.")
        .one_of({"kernel", "gaussian"});
    options
        .add("lightness", &lightness,
             "Of kernel: [min, max] brightness of the sharpened image, as a factor. Default: [0.5, 1].")
        .at_least(0)
        .at_most(kLargestLightness);
    options
        .add("kernel_size", &kernel_size,
             "Of gaussian: width of the blur's kernel in pixels, an odd number. Default: 5.")
        .at_least(3)
        .at_most(kLargestKernel);
    options.add("sigma", &sigma, "Of gaussian: standard deviation of the blur in pixels, more than 0. Default: 1.")
        .at_least(0)
        .at_most(kLargestSigma);
    options.add("probability", &probability, "Probability of applying the transform.").at_least(0).at_most(1);
  }
  void check(sectile::Problems& problems) const {
    const auto has_effect = [&](bool given, const char* option, Method in, const char* name) {
      if (given && method != in)
        problems.add(option, std::string("has no effect with this method: expected only with method ").append(name));
    };
    has_effect(lightness.has_value(), "lightness", Method::kernel, "kernel");
    has_effect(kernel_size.has_value(), "kernel_size", Method::gaussian, "gaussian");
    has_effect(sigma.has_value(), "sigma", Method::gaussian, "gaussian");
    if (alpha[0] > alpha[1]) problems.add("alpha", "the minimum is greater than the maximum");
    if (lightness && (*lightness)[0] > (*lightness)[1])
      problems.add("lightness", "the minimum is greater than the maximum");
    if (kernel_size && *kernel_size % 2 == 0)
      problems.add("kernel_size", std::to_string(*kernel_size) + " is even; expected an odd number");
    if (sigma && !(*sigma > 0)) problems.add("sigma", "must be more than 0");
  }
};

class Sharpen final : public sectile::Transform {
 public:
  explicit Sharpen(const SharpenOptions& options) : options_(options) {}

  void apply(sectile::Sample& sample, sectile::Draw& draw) const override {
    if (!draw.random.chance(options_.probability) || sample.image.empty()) return;
    const double alpha = draw.random.uniform(options_.alpha[0], options_.alpha[1]);
    sample.image =
        options_.method == Method::kernel ? by_kernel(sample.image, alpha, draw.random) : by_blur(sample.image, alpha);
  }

 private:
  cv::Mat by_kernel(const cv::Mat& image, double alpha, sectile::Random& random) const {
    const auto& range = options_.lightness ? *options_.lightness : kLightness;
    const double lightness = random.uniform(range[0], range[1]);
    cv::Mat kernel(3, 3, CV_32F, cv::Scalar(-alpha));
    kernel.at<float>(1, 1) = static_cast<float>(1 - alpha + alpha * (8 + lightness));
    return sectile::in_groups(image, [&](const cv::Mat& from, cv::Mat to) {
      cv::filter2D(from, to, -1, kernel, cv::Point(-1, -1), 0, kEdge);
    });
  }

  // For 8 bits, albumentations 2.0.8 subtracts the blurred image modulo 256, which makes noise of what should be dark
  // edges: here they are dark.
  cv::Mat by_blur(const cv::Mat& image, double alpha) const {
    const int size = options_.kernel_size.value_or(kKernelSize);
    const double sigma = options_.sigma.value_or(kSigma);
    return sectile::in_groups(image, [&](const cv::Mat& from, cv::Mat to) {
      cv::Mat blurred;
      cv::GaussianBlur(from, blurred, cv::Size(size, size), sigma, sigma, kEdge);
      cv::addWeighted(from, 1 + alpha, blurred, -alpha, 0, to);
    });
  }

  SharpenOptions options_;
};

}  // namespace

SECTILE_PLUGIN("1.0.0",
               sectile::transform<Sharpen, SharpenOptions>("sharpen", "Sharpens the image by a random amount."))
