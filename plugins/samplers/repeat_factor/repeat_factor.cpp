// Samples of rare classes repeated in each epoch: repeat factor sampling (Gupta et al. 2019, "LVIS: A Dataset for Large
// Vocabulary Instance Segmentation", arXiv:1908.03195), as in Detectron2's RepeatFactorTrainingSampler.
#include <algorithm>
#include <cmath>
#include <string>
#include <vector>

#include <sectile/error.h>
#include <sectile/sampler.h>

namespace {

struct RepeatFactorOptions {
  double repeat_threshold = 0.001;

  void declare(sectile::Options& options) {
    options
        .add("repeat_threshold", &repeat_threshold,
             "Classes in a smaller share f of the training samples than this, t, are repeated, sqrt(t / f) times; all "
             "others once. A sample is repeated as often as its rarest class: in each epoch, the fraction of a time is "
             "a chance of one time more. Then the samples are shuffled, and cut or filled to the mean length of an "
             "epoch. 0.001 is LVIS's, for 1203 classes; few classes "
             "need more, such as 0.1. Classes are those of labels and objects; images are not read to find them.")
        .at_least(0)
        .at_most(1);
  }
};

class RepeatFactor final : public sectile::Sampler {
 public:
  RepeatFactor(const RepeatFactorOptions& options, const sectile::BuildContext& context) {
    const auto samples = sectile::classes_of_samples(context);
    std::vector<double> images;  // that have the class
    for (const auto& classes : samples)
      for (const int number : classes) {
        const auto index = static_cast<std::size_t>(number);
        if (index >= images.size()) images.resize(index + 1);
        ++images[index];
      }
    for (const auto& classes : samples) {
      double factor = 1;
      for (const int number : classes) {
        const double share = images[static_cast<std::size_t>(number)] / static_cast<double>(samples.size());
        factor = std::max(factor, std::sqrt(options.repeat_threshold / share));
      }
      factors_.push_back(factor);
    }
  }

  std::size_t samples_per_epoch(std::size_t) const override {
    double sum = 0;  // the mean over epochs
    for (const double factor : factors_) sum += factor;
    return static_cast<std::size_t>(std::llround(sum));
  }

  std::vector<std::size_t> draw(const sectile::EpochRequest& wanted, sectile::Random random) const override {
    if (factors_.size() != wanted.available)
      throw sectile::DataError("repeat_factor", "knows " + std::to_string(factors_.size()) +
                                                    " training samples, and there are " +
                                                    std::to_string(wanted.available));
    std::vector<std::size_t> indexes;
    while (indexes.size() < wanted.samples) {
      auto round = repeated(random);
      random.shuffle(round);
      const auto missing = std::min(round.size(), wanted.samples - indexes.size());
      indexes.insert(indexes.end(), round.begin(), round.begin() + static_cast<std::ptrdiff_t>(missing));
    }
    return indexes;
  }

 private:
  std::vector<std::size_t> repeated(sectile::Random& random) const {
    std::vector<std::size_t> indexes;
    for (std::size_t i = 0; i < factors_.size(); ++i) {
      const double whole = std::floor(factors_[i]);
      const auto times = static_cast<std::size_t>(whole) + (random.chance(factors_[i] - whole) ? 1 : 0);
      indexes.insert(indexes.end(), times, i);
    }
    return indexes;
  }

  std::vector<double> factors_;  // of each sample, at least 1
};

}  // namespace

SECTILE_PLUGIN("1.0.0",
               sectile::sampler<RepeatFactor, RepeatFactorOptions>(
                   "repeat_factor", "Every sample about once per epoch, and those of rare classes more often."))
