// Turns images gray at random, by the methods of albumentations' ToGray (2.0.8).
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <numeric>
#include <optional>
#include <string>
#include <type_traits>
#include <vector>

#include <opencv2/core.hpp>
#include <opencv2/imgproc.hpp>

#include <sectile/error.h>
#include <sectile/transform.h>
#include <sectile/transforms/pixel_values.h>

namespace {

constexpr int kColors = 3;
constexpr int kMostChannels = 512;
constexpr double kWhiteLightness = 100;  // of L*a*b* in floating point

enum class Method { weighted_average, from_lab, desaturation, average, max, pca };

struct ToGrayOptions {
  std::optional<int> num_output_channels;
  Method method = Method::weighted_average;
  double probability = 0.5;

  void declare(sectile::Options& options) {
    options
        .add("num_output_channels", &num_output_channels,
             "Number of channels of the result, which are all equal. The batch needs the same number from all images, "
             "so "
             "one that differs from the image's only suits probability 1. Default: as many as the image has.")
        .at_least(1)
        .at_most(kMostChannels);
    options
        .add("method", &method,
             "How gray values come from colors. weighted_average: 0.299 R + 0.587 G + 0.114 B; from_lab: the lightness "
             "L of CIE L*a*b*. These are for three channels, the others for any number. desaturation: the mean of the "
             "largest and the smallest; average; max; pca: the first principal component of the image's colors, scaled "
             "to the whole range, and brighter where the sum of its weights is. An image of one channel keeps its "
             "values.")
        .one_of({"weighted_average", "from_lab", "desaturation", "average", "max", "pca"});
    options.add("probability", &probability, "Probability of applying the transform.").at_least(0).at_most(1);
  }
};

// All below take an image, not a volume, and return one of one channel and the same depth.

cv::Mat lightness(const cv::Mat& image, double white) {
  cv::Mat lab, gray;
  if (image.depth() == CV_8U) {
    cv::cvtColor(image, lab, cv::COLOR_RGB2Lab);
    cv::extractChannel(lab, gray, 0);
    return gray;
  }
  image.convertTo(lab, CV_32F, 1 / white);
  cv::cvtColor(lab, lab, cv::COLOR_RGB2Lab);
  cv::extractChannel(lab, gray, 0);
  gray.convertTo(gray, image.depth(), white / kWhiteLightness);
  return gray;
}

// The sign of a principal component is arbitrary: the one with a positive sum makes bright colors bright.
cv::Mat first_component(const cv::Mat& image, double white) {
  const cv::Mat whole = image.isContinuous() ? image : image.clone();
  cv::Mat colors, covariance, mean, values, vectors, weights, projected, gray;
  whole.reshape(1, static_cast<int>(whole.total())).convertTo(colors, CV_32F);  // one row per pixel
  cv::calcCovarMatrix(colors, covariance, mean, cv::COVAR_NORMAL | cv::COVAR_ROWS | cv::COVAR_SCALE, CV_64F);
  cv::eigen(covariance, values, vectors);  // largest first, in rows
  vectors.row(0).convertTo(weights, CV_32F, cv::sum(vectors.row(0))[0] < 0 ? -1 : 1);
  cv::gemm(colors, weights, 1, cv::noArray(), 0, projected, cv::GEMM_2_T);
  cv::normalize(projected.reshape(1, image.rows), gray, 0, white, cv::NORM_MINMAX, image.depth());
  return gray;
}

// f(begin, end) of the channels of each pixel.
template <class T, class F>
cv::Mat each_pixel(const cv::Mat& image, F f) {
  cv::Mat gray(image.size(), CV_MAKETYPE(image.depth(), 1));
  for (int y = 0; y < image.rows; ++y) {
    const T* from = image.ptr<T>(y);
    T* to = gray.ptr<T>(y);
    for (int x = 0; x < image.cols; ++x, from += image.channels()) to[x] = f(from, from + image.channels());
  }
  return gray;
}

// Fractions of integers are cut off, as in albumentations.
template <class T>
cv::Mat of_channels(const cv::Mat& image, Method method) {
  using Sum = std::conditional_t<std::is_floating_point_v<T>, double, std::int64_t>;
  if (method == Method::desaturation)
    return each_pixel<T>(image, [](const T* begin, const T* end) {
      const auto [least, most] = std::minmax_element(begin, end);
      return static_cast<T>((static_cast<Sum>(*least) + static_cast<Sum>(*most)) / 2);
    });
  if (method == Method::average)
    return each_pixel<T>(image, [](const T* begin, const T* end) {
      return static_cast<T>(std::accumulate(begin, end, Sum{0}) / static_cast<Sum>(end - begin));
    });
  return each_pixel<T>(image, [](const T* begin, const T* end) { return *std::max_element(begin, end); });
}

cv::Mat grayed(const cv::Mat& image, Method method, double white) {
  if (image.channels() == 1) return image;
  cv::Mat gray;
  switch (method) {
    case Method::weighted_average:
      cv::cvtColor(image, gray, cv::COLOR_RGB2GRAY);
      return gray;
    case Method::from_lab:
      return lightness(image, white);
    case Method::pca:
      return first_component(image, white);
    default:
      if (image.depth() == CV_8U) return of_channels<std::uint8_t>(image, method);
      if (image.depth() == CV_16U) return of_channels<std::uint16_t>(image, method);
      return of_channels<float>(image, method);
  }
}

cv::Mat repeated(const cv::Mat& gray, int channels) {
  if (channels == 1) return gray;
  cv::Mat image;
  cv::merge(std::vector<cv::Mat>(static_cast<std::size_t>(channels), gray), image);
  return image;
}

class ToGray final : public sectile::Transform {
 public:
  explicit ToGray(const ToGrayOptions& options) : options_(options) {}

  void apply(sectile::Sample& sample, sectile::Draw& draw) const override {
    if (sample.image.empty()) return;  // only the annotation was read
    // Before chance is asked, so that what cannot be taken is refused at the first sample.
    const double white = sectile::largest_value(sample, "to_gray");
    const int channels = sample.image.channels(), made = options_.num_output_channels.value_or(channels);
    demand_fit(sample, made);
    if (!draw.random.chance(options_.probability)) return;
    if (channels == 1 && made == 1) return;
    const cv::Mat gray = repeated(grayed(sectile::as_plane(sample.image), options_.method, white), made);
    sample.image = sample.image.dims == 2 ? gray : gray.reshape(0, sample.image.dims, sample.image.size.p);
  }

 private:
  void demand_fit(const sectile::Sample& sample, int made) const {
    const int channels = sample.image.channels();
    const bool of_colors = options_.method == Method::weighted_average || options_.method == Method::from_lab;
    if (of_colors && channels != 1 && channels != kColors)
      throw sectile::DataError(sample.id,
                               "has " + std::to_string(channels) +
                                   " channels; to_gray's methods \"weighted_average\" and \"from_lab\" expected "
                                   "three: set \"method\" to \"average\", \"desaturation\", \"max\" or \"pca\"");
    if (made != channels && !sample.mean.empty())
      throw sectile::DataError(sample.id, "is normalized for " + std::to_string(channels) +
                                              " channels, of which to_gray would make " + std::to_string(made) +
                                              ": put \"normalize\" after \"to_gray\"");
  }

  ToGrayOptions options_;
};

}  // namespace

SECTILE_PLUGIN("1.0.0", sectile::transform<ToGray, ToGrayOptions>("to_gray", "Turns images gray at random."))
