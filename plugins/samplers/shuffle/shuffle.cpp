// Every sample once, in a different random order in each epoch. If an epoch has more samples than the dataset, they are
// repeated in another order.
#include <algorithm>
#include <numeric>

#include <sectile/sampler.h>

namespace {

class Shuffle final : public sectile::Sampler {
 public:
  std::vector<std::size_t> draw(const sectile::EpochRequest& wanted, sectile::Random random) const override {
    std::vector<std::size_t> indexes, order(wanted.available);
    std::iota(order.begin(), order.end(), std::size_t{0});
    while (indexes.size() < wanted.samples) {
      random.shuffle(order);
      const auto missing = std::min(order.size(), wanted.samples - indexes.size());
      indexes.insert(indexes.end(), order.begin(), order.begin() + static_cast<std::ptrdiff_t>(missing));
    }
    return indexes;
  }
};

}  // namespace

SECTILE_PLUGIN("1.0.0", sectile::sampler<Shuffle>("shuffle", "Every sample once per epoch, in random order."))
