// The samples in the order of the dataset. If an epoch has fewer samples, the next one continues where it ended; the
// first sample follows the last.
#include <sectile/sampler.h>

namespace {

class Sequential final : public sectile::Sampler {
 public:
  std::vector<std::size_t> draw(const sectile::EpochRequest& wanted, sectile::Random) const override {
    std::vector<std::size_t> indexes(wanted.samples);
    for (std::size_t i = 0; i < indexes.size(); ++i)
      indexes[i] = (wanted.epoch * wanted.samples + i) % wanted.available;
    return indexes;
  }
};

}  // namespace

SECTILE_PLUGIN("1.0.0",
               sectile::sampler<Sequential>(
                   "sequential",
                   "The samples in the order of the data; a shorter epoch continues where the one before ended."))
