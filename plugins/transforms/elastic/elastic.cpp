// Elastic deformation: every pixel is displaced by smoothed noise. Simard et al. 2003, "Best practices for
// convolutional neural networks applied to visual document analysis", with the options of albumentations'
// ElasticTransform.
#include <algorithm>
#include <array>
#include <vector>

#include <opencv2/core.hpp>

#include <sectile/transforms/random_warp.h>

#include "noise_field.h"

namespace {

using elastic::Noise;

struct ElasticOptions {
  double alpha = 1;
  double sigma = 50;
  bool approximate = false;
  bool same_dxdy = false;
  Noise noise_distribution = Noise::gaussian;
  sectile::RandomWarpOptions warping{};

  void declare(sectile::Options& options) {
    options
        .add("alpha", &alpha,
             "Factor of the displacements, which are noise between -1 and 1 pixel before it is smoothed. The larger "
             "sigma, the more of it averages out: 120 at sigma 5 moves pixels by two on average, 1500 at sigma 20 by "
             "six, and 1 at sigma 50, the default of albumentations, by about two thousandths: set both.")
        .at_least(0)
        .at_most(1e6);
    options
        .add("sigma", &sigma,
             "Standard deviation of the Gaussian that smooths the noise, in pixels (of volumes, along all three axes).")
        .at_least(1)
        .at_most(1000);
    options.add("approximate", &approximate,
                "If true, the Gaussian is cut off at 17 pixels, so that pixels which are farther apart move "
                "independently. If false, at four standard deviations.");
    options.add("same_dxdy", &same_dxdy,
                "If true, the displacements along all axes are equal: pixels move along the diagonal.");
    options
        .add("noise_distribution", &noise_distribution,
             "Distribution of the noise: gaussian, divided by its greatest absolute value, or uniform.")
        .one_of({"gaussian", "uniform"});
    warping.declare(options);
  }
};

class Elastic final : public sectile::RandomWarp {
 public:
  Elastic(const ElasticOptions& options, const sectile::BuildContext& context)
      : RandomWarp(options.warping, context), options_(options) {}

 protected:
  sectile::Warp drawn(const sectile::Sample& sample, sectile::Draw& draw) const override {
    const sectile::Extent size = sectile::extent(sample.image);
    const bool volume = sample.image.dims == 3;
    sectile::Warp warp = sectile::Warp::crop(0, 0, 0, size);
    // Of a single slice, nothing would be left after a displacement along the depth.
    const int axes = volume && size.depth > 1 ? 3 : 2;
    const auto fields = drawn_fields(size, options_.same_dxdy ? 1 : axes, draw.random.bits());
    std::array<cv::Mat, 3> shifts;
    for (int axis = 0; axis < 3; ++axis) {
      const auto number = static_cast<std::size_t>(axis);
      if (axis < axes)
        shifts[number] = fields[options_.same_dxdy ? 0 : number];
      else
        shifts[number] = cv::Mat::zeros(fields[0].size(), CV_32F);
    }
    cv::Mat merged;
    cv::merge(shifts.data(), shifts.size(), merged);
    const int sizes[] = {size.depth, size.height, size.width};
    warp.displacement = volume ? merged.reshape(3, 3, sizes) : merged;
    return warp;
  }

 private:
  // In pixels; the slices of a volume lie below each other.
  std::vector<cv::Mat> drawn_fields(const sectile::Extent& size, int count, std::uint64_t key) const {
    std::vector<cv::Mat> fields;
    double largest = 0;
    for (int i = 0; i < count; ++i) {
      fields.push_back(elastic::noise(size, options_.noise_distribution, key, static_cast<std::uint64_t>(i)));
      if (options_.noise_distribution == Noise::gaussian)
        largest = std::max(largest, cv::norm(fields.back(), cv::NORM_INF));
    }
    const double factor = largest > 1e-6 ? options_.alpha / largest : options_.alpha;
    for (auto& field : fields) {
      field = elastic::smoothed(field, size, options_.sigma, options_.approximate);
      field *= factor;
    }
    return fields;
  }

  ElasticOptions options_;
};

}  // namespace

SECTILE_PLUGIN("1.0.0", sectile::transform<Elastic, ElasticOptions>(
                            "elastic", "Deforms like rubber: displaces every pixel by smooth noise."))
