#include "sample_source.h"

#include <numeric>
#include <utility>

namespace sectile {
namespace {

constexpr std::uint64_t kOrderStream = 0x6f72646572;  // keeps the order's numbers apart from the transforms'

void know_own_size(Sample& sample) {
  if (sample.geometry.original.width == 0) sample.geometry.original = extent(sample.image);
  for (auto& shot : sample.support) know_own_size(shot);
}

// The first `count` transforms. `stream` tells apart the samples that mixing transforms draw for one index.
Sample apply(const SampleSource& source, Sample sample, std::size_t count, std::size_t epoch, std::size_t index,
             std::uint64_t stream) {
  const auto others = [&source, epoch, index](std::size_t position) {
    return [&source, epoch, index, position](Random& random) {
      const auto step = 1 + random.below(std::max<std::int64_t>(1, static_cast<std::int64_t>(source.data->size()) - 1));
      const auto other = (index + static_cast<std::size_t>(step)) % source.data->size();
      return apply(source, source.read(other), position, epoch, other, random.bits());
    };
  };
  for (std::size_t i = 0; i < count; ++i) {
    Draw draw(Random{source.seed, epoch, index, i, stream, 0}, others(i));
    source.transforms[i]->apply(sample, draw);
    for (std::size_t shot = 0; shot < sample.support.size(); ++shot) {
      Draw theirs(Random{source.seed, epoch, index, i, stream, shot + 1}, others(i));
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

Sample SampleSource::prepare(std::size_t epoch, std::size_t index) const {
  return transformed(read(index), epoch, index);
}

Sample SampleSource::transformed(Sample sample, std::size_t epoch, std::size_t index) const {
  return apply(*this, std::move(sample), transforms.size(), epoch, index, 0);
}

std::vector<std::size_t> shuffled(std::size_t count, std::uint64_t seed, std::size_t epoch) {
  std::vector<std::size_t> order(count);
  std::iota(order.begin(), order.end(), std::size_t{0});
  Random{seed, epoch, kOrderStream}.shuffle(order);
  return order;
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
