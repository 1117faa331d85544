// Which samples a training epoch uses, and in which order.
#pragma once

#include <cstddef>
#include <vector>

#include <sectile/component.h>
#include <sectile/random.h>

namespace sectile {

struct EpochRequest {
  std::size_t epoch = 0;      // 0, 1, …
  std::size_t samples = 0;    // how many to draw
  std::size_t available = 0;  // in the training data
};

// A sampler that needs the data (classes, sizes) takes a BuildContext, and uses BuildContext::data.
class SECTILE_EXPORT Sampler {
 public:
  virtual ~Sampler();

  // Samples per epoch if the spec does not set "samples"; at least 1.
  virtual std::size_t samples_per_epoch(std::size_t available) const { return available; }

  // Returns the requested number of indexes; an index may occur several times, or never. Must be a pure function of its
  // arguments, so that a resumed run uses the same samples. random is keyed by (seed, epoch). Called from several
  // threads at once.
  virtual std::vector<std::size_t> draw(const EpochRequest& wanted, Random random) const = 0;
};

// The classes of each training sample, ascending, without decoding images: BuildContext::list_classes, which the host
// keeps from run to run where finding them takes long, or Dataset::classes_of. Throws OptionError if there is no
// training data.
SECTILE_EXPORT std::vector<std::vector<int>> classes_of_samples(const BuildContext& context);

template <class T, class OwnOptions = NoOptions>
constexpr Component sampler(const char* name, const char* summary) {
  return component<Sampler, T, OwnOptions>(name, summary);
}

}  // namespace sectile
