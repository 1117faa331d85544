// Mixup (Zhang et al., ICLR 2018, arXiv:1710.09412): the weighted sum of two samples. Labels become soft: each class's
// share, which losses over labels per class take. Objects of both are kept, as in Zhang et al. 2019, "Bag of Freebies
// for Training Object Detection Neural Networks", arXiv:1902.04103, and mmdetection.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <iterator>
#include <set>
#include <string>
#include <vector>

#include <opencv2/core.hpp>

#include <sectile/error.h>
#include <sectile/transform.h>
#include <sectile/transforms/mixing.h>
#include <sectile/transforms/nested.h>

namespace {

using sectile::DataError;
using sectile::kIgnore;
using sectile::Sample;

struct MixupOptions {
  double alpha = 0.2;
  double probability = 0.5;

  void declare(sectile::Options& options) {
    options
        .add("alpha", &alpha,
             "Parameter of the beta distribution Beta(alpha, alpha) of this sample's weight. Small: nearly always one "
             "of the two alone; 1: all weights are equally likely; large: about a half.")
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

// Where one of the two is unknown, so is the sum. Both: labels per class.
cv::Mat weighted_labels(const cv::Mat& labels, const cv::Mat& others, float weight) {
  cv::Mat made = labels.clone();
  const cv::Mat second = others.isContinuous() ? others : others.clone();
  auto* value = made.ptr<float>();
  const auto* other = second.ptr<float>();
  const std::size_t count = made.total() * static_cast<std::size_t>(made.channels());
  for (std::size_t i = 0; i < count; ++i)
    value[i] = value[i] < 0 || other[i] < 0 ? static_cast<float>(kIgnore) : weight * value[i] + (1 - weight) * other[i];
  return made;
}

class Mixup final : public sectile::Transform, public sectile::HasEffects {
 public:
  Mixup(const MixupOptions& options, const sectile::BuildContext& context)
      : options_(options), classes_(context.labels ? context.classes() : 0) {
    if (context.task == sectile::Task::panoptic)
      throw sectile::SpecError("/task",
                               "is panoptic, and mixup would give a pixel two segments; expected one: remove mixup, or "
                               "use cutmix, mosaic or copy_paste, which keep each pixel of one image");
  }

  void apply(Sample& sample, sectile::Draw& draw) const override {
    // Before chance is asked, so that what cannot be taken is refused at the first sample.
    if (!sample.image.empty()) demand_means(sample);
    if (!draw.random.chance(options_.probability)) return;
    auto other = sectile::mixing_partner(sample, draw, "mixup");
    demand_means(other);
    check(sample, other);
    check(other, sample);
    const double weight = sectile::beta_distributed(draw.random, options_.alpha, options_.alpha);
    sample.image = weighted(sample.image, other.image, weight);
    if (!sample.labels.empty())
      sample.labels = weighted_labels(per_class(sample), per_class(other), static_cast<float>(weight));
    for (auto& [name, map] : sample.targets) map = weighted(map, other.targets.at(name), weight);
    sample.instances.insert(sample.instances.end(), std::make_move_iterator(other.instances.begin()),
                            std::make_move_iterator(other.instances.end()));
    // A pixel cannot have two segments, and only panoptic tasks need any.
    sample.segment_ids.release(), sample.segments.clear();
    std::set<int> tags(sample.tags.begin(), sample.tags.end());
    tags.insert(other.tags.begin(), other.tags.end());
    sample.tags.assign(tags.begin(), tags.end());
  }

  sectile::Effects effects() const override {
    sectile::Effects own;
    if (options_.probability > 0) own.mixing = {""}, own.soft_labels = true;
    return own;
  }

 private:
  // Targets of class numbers are refused.
  static void demand_means(const Sample& sample) {
    for (const auto& [name, map] : sample.targets)
      if (map.depth() != CV_32F)
        throw DataError(sample.id, std::string("cannot be mixed by mixup: it has the target \"").append(name) +
                                       "\" of class numbers, which have no mean; expected targets of 32F");
  }

  // What would lose its meaning is refused.
  static void check(const Sample& sample, const Sample& other) {
    const auto refuse = [&](const std::string& what) {
      throw DataError(sample.id, "cannot be mixed by mixup with " + other.id + ": it has " + what);
    };
    if (!sample.labels.empty() && other.labels.empty())
      refuse("labels, and the other has none; expected labels in both or in none");
    for (const auto& [name, map] : sample.targets)
      if (other.targets.count(name) == 0)
        refuse(std::string("the target \"").append(name).append("\", and the other has not; expected it in both"));
  }

  static cv::Mat weighted(const cv::Mat& a, const cv::Mat& b, double weight) {
    cv::Mat sum;
    cv::addWeighted(a, weight, b, 1 - weight, 0, sum);
    return sum;
  }

  cv::Mat per_class(const Sample& sample) const {
    if (sample.labels.depth() == CV_32F) return sample.labels;
    if (classes_ < 1 || classes_ > CV_CN_MAX)
      throw DataError(sample.id, "has labels of " + std::to_string(classes_) + " classes; expected 1 to " +
                                     std::to_string(CV_CN_MAX) + ", as many as labels per class, which mixup makes");
    return sectile::labels_per_class(sample.labels, classes_, sample.id);
  }

  MixupOptions options_;
  int classes_;
};

}  // namespace

SECTILE_PLUGIN("1.0.0", sectile::transform<Mixup, MixupOptions>(
                            "mixup", "Blends another sample into this one; labels become soft, objects are added."))
