// Samples drawn so that classes come equally often: class-aware sampling (Shen et al. 2016, "Relay Backpropagation for
// Effective Learning of Deep Convolutional Neural Networks", arXiv:1512.05830), as in mmdetection's ClassAwareSampler.
// The classes take turns, in a new random order in each turn, and each one's samples come all before one comes again.
#include <algorithm>
#include <numeric>
#include <string>
#include <vector>

#include <sectile/data/class_selection.h>
#include <sectile/error.h>
#include <sectile/sampler.h>

namespace {

struct ClassBalancedOptions {
  std::vector<std::string> include;

  void declare(sectile::Options& options) {
    options.add(
        "include", &include,
        "Names of the classes that samples are drawn for; samples with none of them never come. Empty: all that "
        "occur. A sample that is drawn for one class may have others, so a class that is in every image, such "
        "as a background, comes with all others anyway: name the others. Which part of an image is seen is "
        "decided by transforms, such as random_crop with class_probability. Classes are those of labels and "
        "objects; images are not read to find them.");
  }
};

// Items in a random order, and when all have come, in another one.
class Cycle {
 public:
  explicit Cycle(std::vector<std::size_t> items) : items_(std::move(items)), next_(items_.size()) {}

  std::size_t next(sectile::Random& random) {
    if (next_ == items_.size()) {
      random.shuffle(items_);
      next_ = 0;
    }
    return items_[next_++];
  }

 private:
  std::vector<std::size_t> items_;
  std::size_t next_;
};

class ClassBalanced final : public sectile::Sampler {
 public:
  ClassBalanced(const ClassBalancedOptions& options, const sectile::BuildContext& context) {
    const auto samples = sectile::classes_of_samples(context);
    available_ = samples.size();
    std::vector<std::vector<std::size_t>> having;
    for (std::size_t i = 0; i < samples.size(); ++i)
      for (const int number : samples[i]) {
        const auto index = static_cast<std::size_t>(number);
        if (index >= having.size()) having.resize(index + 1);
        having[index].push_back(i);
      }
    const auto named = sectile::class_numbers(options.include, "include", context);
    for (std::size_t i = 0; i < named.size(); ++i) {
      const auto index = static_cast<std::size_t>(named[i]);
      if (index >= having.size() || having[index].empty())
        throw sectile::OptionError("include/" + std::to_string(i),
                                   std::string("names the class \"")
                                       .append(options.include[i])
                                       .append("\", which no training sample has: remove it"));
      samples_of_.push_back(having[index]);
    }
    if (named.empty())
      for (auto& one : having)
        if (!one.empty()) samples_of_.push_back(std::move(one));
    if (samples_of_.empty())
      throw sectile::OptionError("type", "finds no class in the training data; check its labels, or use \"shuffle\"");
  }

  std::vector<std::size_t> draw(const sectile::EpochRequest& wanted, sectile::Random random) const override {
    if (available_ != wanted.available)
      throw sectile::DataError("class_balanced", "knows " + std::to_string(available_) +
                                                     " training samples, and there are " +
                                                     std::to_string(wanted.available));
    std::vector<std::size_t> numbers(samples_of_.size());
    std::iota(numbers.begin(), numbers.end(), std::size_t{0});
    Cycle classes(numbers);
    std::vector<Cycle> cycles(samples_of_.begin(), samples_of_.end());
    std::vector<std::size_t> indexes(wanted.samples);
    for (auto& index : indexes) index = cycles[classes.next(random)].next(random);
    return indexes;
  }

 private:
  std::size_t available_ = 0;
  std::vector<std::vector<std::size_t>> samples_of_;  // of each class that is drawn for
};

}  // namespace

SECTILE_PLUGIN("1.0.0", sectile::sampler<ClassBalanced, ClassBalancedOptions>(
                            "class_balanced", "Samples drawn so that all classes come equally often."))
