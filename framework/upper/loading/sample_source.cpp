#include "sample_source.h"

#include <utility>

namespace sectile {
namespace {

constexpr std::uint64_t kBatchStream = 0x6261746368;  // keeps a batch's numbers apart from its samples'

void know_own_size(Sample& sample) {
  if (sample.geometry.original.width == 0) sample.geometry.original = extent(sample.image);
  for (auto& shot : sample.support) know_own_size(shot);
}

// The first `count` transforms. `stream` tells apart the samples that mixing transforms draw for one index.
Sample apply(const SampleSource& source, Sample sample, std::size_t count, const Occasion& when, std::uint64_t stream) {
  const auto others = [&source, when](std::size_t position) {
    return [&source, when, position](Random& random) {
      const auto step = 1 + random.below(std::max<std::int64_t>(1, static_cast<std::int64_t>(source.data->size()) - 1));
      auto other = when;
      other.index = (when.index + static_cast<std::size_t>(step)) % source.data->size();
      return apply(source, source.read(other.index), position, other, random.bits());
    };
  };
  for (std::size_t i = 0; i < count; ++i) {
    const Random of_batch{source.seed, static_cast<std::uint64_t>(when.batch), i, kBatchStream};
    const auto draw = [&](std::size_t shot) {  // 0: the sample itself
      return Draw(Random{source.seed, when.epoch, when.index, when.occurrence, i, stream, shot}, others(i), of_batch);
    };
    auto own = draw(0);
    source.transforms[i]->apply(sample, own);
    for (std::size_t shot = 0; shot < sample.support.size(); ++shot) {
      auto theirs = draw(shot + 1);
      source.transforms[i]->apply(sample.support[shot], theirs);
    }
  }
  return sample;
}

}  // namespace

Sample SampleSource::read(std::size_t index) const {
  auto sample = data->read(index);
  know_own_size(sample);
  return sample;
}

Sample SampleSource::prepare(const Occasion& when) const { return transformed(read(when.index), when); }

Sample SampleSource::transformed(Sample sample, const Occasion& when) const {
  return apply(*this, std::move(sample), transforms.size(), when, 0);
}

Sample transformed_alone(Sample sample, const TransformChain& transforms) {
  know_own_size(sample);
  for (std::size_t i = 0; i < transforms.size(); ++i) {
    Draw draw(Random{i}, nullptr);
    transforms[i]->apply(sample, draw);
  }
  return sample;
}

}  // namespace sectile
