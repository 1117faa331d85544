// CutMix (Yun et al., ICCV 2019, arXiv:1905.04899): a rectangle of another sample, with its annotation. It is drawn as
// by torchvision's v2.CutMix. Labels need no mixing here: those of the pixels are cut with them.
#include <algorithm>
#include <cmath>
#include <iterator>
#include <vector>

#include <opencv2/core.hpp>

#include <sectile/transform.h>
#include <sectile/transforms/mixing.h>
#include <sectile/transforms/nested.h>

namespace {

struct CutmixOptions {
  double alpha = 1;
  double probability = 0.5;

  void declare(sectile::Options& options) {
    options
        .add("alpha", &alpha,
             "Parameter of the beta distribution Beta(alpha, alpha) of the share that stays of the sample. 1: all "
             "shares are equally likely; less: more often nearly all or nothing; more: more often a half.")
        .at_least(0.01)
        .at_most(1000);
    options
        .add("probability", &probability,
             "Probability of applying the transform. The other sample is resized to this one's size: crop or pad both "
             "to one size before, to keep its proportions.")
        .at_least(0)
        .at_most(1);
  }
};

class Cutmix final : public sectile::Transform, public sectile::HasEffects {
 public:
  explicit Cutmix(const CutmixOptions& options) : options_(options) {}

  void apply(sectile::Sample& sample, sectile::Draw& draw) const override {
    if (!draw.random.chance(options_.probability)) return;
    sectile::demand_image(sample);
    const cv::Mat inside = rectangle(sample.image, draw.random);
    if (inside.empty()) return;
    auto other = sectile::mixing_partner(sample, draw, "cutmix");
    sectile::show(other, inside, sample);
    sectile::hide(inside == 0, other.instances);
    sample.instances.insert(sample.instances.end(), std::make_move_iterator(other.instances.begin()),
                            std::make_move_iterator(other.instances.end()));
  }

  sectile::Effects effects() const override {
    sectile::Effects own;
    if (options_.probability > 0) own.mixing = {""};
    return own;
  }

 private:
  // 8U, 1 in the rectangle, or box of a volume, that the other sample shows; empty: no pixel.
  cv::Mat rectangle(const cv::Mat& image, sectile::Random& random) const {
    const double stays = sectile::beta_distributed(random, options_.alpha, options_.alpha);
    const double half = 0.5 * std::pow(1 - stays, 1.0 / image.dims);  // of each side's length
    std::vector<cv::Range> ranges;
    for (int axis = 0; axis < image.dims; ++axis) {
      const int length = image.size[axis], reach = static_cast<int>(half * length);
      const int center = static_cast<int>(random.below(length));
      ranges.emplace_back(std::max(center - reach, 0), std::min(center + reach, length));
      if (ranges.back().empty()) return {};
    }
    cv::Mat inside(image.dims, image.size.p, CV_8U, cv::Scalar(0));
    cv::Mat part = inside(ranges);
    part.setTo(1);
    return inside;
  }

  CutmixOptions options_;
};

}  // namespace

SECTILE_PLUGIN("1.0.0", sectile::transform<Cutmix, CutmixOptions>(
                            "cutmix", "Puts a rectangle of another sample and its annotation into this one."))
