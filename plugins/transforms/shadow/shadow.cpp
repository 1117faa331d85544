// Shadows in the form of random polygons, as in albumentations' RandomShadow, after Saxena's Automold
// (https://github.com/UjjwalSaxena/Automold--Road-Augmentation-Library). Integers are cut off, not rounded, as there.
#include <algorithm>
#include <array>
#include <cstdint>
#include <vector>

#include <opencv2/imgproc.hpp>

#include <sectile/error.h>
#include <sectile/transform.h>
#include <sectile/transforms/pixel_values.h>

namespace {

struct ShadowOptions {
  std::array<double, 4> shadow_roi = {0, 0.5, 1, 1};
  std::array<int, 2> num_shadows_limit = {1, 2};
  int shadow_dimension = 5;
  std::array<double, 2> shadow_intensity_range = {0.5, 0.5};
  double probability = 0.5;

  void declare(sectile::Options& options) {
    options
        .add("shadow_roi", &shadow_roi,
             "Region of the shadows, [left, top, right, bottom] as fractions of the image's width and height. Default: "
             "its lower half.")
        .at_least(0)
        .at_most(1);
    options.add("num_shadows_limit", &num_shadows_limit, "[min, max] number of shadows, which may overlap.")
        .at_least(1)
        .at_most(1000);
    options
        .add("shadow_dimension", &shadow_dimension,
             "Corners of the polygon of a shadow, at random places in the region. Its sides may cross: then what an "
             "even "
             "number of them surrounds stays bright.")
        .at_least(3)
        .at_most(1000);
    options
        .add("shadow_intensity_range", &shadow_intensity_range,
             "[min, max] part of the brightness that a shadow takes, from 0 (none) to 1 (it is black).")
        .at_least(0)
        .at_most(1);
    options.add("probability", &probability, "Probability of applying the transform.").at_least(0).at_most(1);
  }
  void check(sectile::Problems& problems) const {
    if (shadow_roi[0] > shadow_roi[2] || shadow_roi[1] > shadow_roi[3])
      problems.add("shadow_roi", "ends before it starts: expected [left, top, right, bottom]");
    if (num_shadows_limit[0] > num_shadows_limit[1])
      problems.add("num_shadows_limit", "the minimum is greater than the maximum");
    if (shadow_intensity_range[0] > shadow_intensity_range[1])
      problems.add("shadow_intensity_range", "the minimum is greater than the maximum");
  }
};

using Polygon = std::vector<cv::Point>;

template <class T>
void darken(cv::Mat image, const cv::Mat& mask, double remains) {
  const int channels = image.channels();
  for (int y = 0; y < image.rows; ++y) {
    const std::uint8_t* inside = mask.ptr(y);
    T* value = image.ptr<T>(y);
    for (int x = 0; x < image.cols; ++x, value += channels)
      if (inside[x])
        for (int c = 0; c < channels; ++c) value[c] = static_cast<T>(value[c] * remains);
  }
}

class Shadow final : public sectile::Transform {
 public:
  explicit Shadow(const ShadowOptions& options) : options_(options) {}

  void apply(sectile::Sample& sample, sectile::Draw& draw) const override {
    if (sample.image.empty()) return;  // only the annotation was read
    // Before chance is asked, so that what cannot be taken is refused at the first sample.
    if (sample.image.dims != 2)
      throw sectile::DataError(sample.id, "is a volume, and shadow is for images: expected height x width; remove it");
    sectile::largest_value(sample, "shadow");  // other types have values below 0, which would become brighter
    if (!draw.random.chance(options_.probability)) return;
    sample.image = sample.image.clone();
    const auto [fewest, most] = options_.num_shadows_limit;
    for (auto count = fewest + draw.random.below(most - fewest + 1); count > 0; --count) {
      const Polygon polygon = draw_polygon(sample.image.size(), draw.random);
      const auto& range = options_.shadow_intensity_range;
      cast(sample.image, polygon, 1 - draw.random.uniform(range[0], range[1]));
    }
  }

 private:
  Polygon draw_polygon(const cv::Size& size, sectile::Random& random) const {
    const auto& region = options_.shadow_roi;
    const auto place = [&](double from, double to, int length) {
      const int first = std::min(static_cast<int>(from * length), length - 1), end = static_cast<int>(to * length);
      return first + static_cast<int>(random.below(std::max(1, end - first)));
    };
    Polygon polygon(static_cast<std::size_t>(options_.shadow_dimension));
    for (cv::Point& corner : polygon) {
      corner.x = place(region[0], region[2], size.width);
      corner.y = place(region[1], region[3], size.height);
    }
    return polygon;
  }

  static void cast(cv::Mat& image, const Polygon& polygon, double remains) {
    const cv::Rect box = cv::boundingRect(polygon);
    cv::Mat mask(box.size(), CV_8U, cv::Scalar(0));
    cv::fillPoly(mask, std::vector<Polygon>{polygon}, cv::Scalar(1), cv::LINE_8, 0, -box.tl());
    if (image.depth() == CV_8U) darken<std::uint8_t>(image(box), mask, remains);
    if (image.depth() == CV_16U) darken<std::uint16_t>(image(box), mask, remains);
    if (image.depth() == CV_32F) darken<float>(image(box), mask, remains);
  }

  ShadowOptions options_;
};

}  // namespace

SECTILE_PLUGIN("1.0.0",
               sectile::transform<Shadow, ShadowOptions>("shadow", "Casts polygonal shadows at random places."))
