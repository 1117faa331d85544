#include <sectile/random.h>

#include <utility>

#include <sectile/error.h>
#include <sectile/transform.h>

namespace sectile {
namespace {

std::uint64_t mix(std::uint64_t x) {  // splitmix64's finaliser
  x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
  x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
  return x ^ (x >> 31);
}

}  // namespace

Random::Random(std::initializer_list<std::uint64_t> key) {
  for (const auto part : key) key_ = mix(key_ + part + 0x9e3779b97f4a7c15u);
}
std::uint64_t Random::bits() { return mix(key_ + ++counter_ * 0x9e3779b97f4a7c15u); }
double Random::uniform(double from, double to) {
  return from + (to - from) * static_cast<double>(bits() >> 11) * 0x1p-53;
}
std::int64_t Random::below(std::int64_t count) {
  return static_cast<std::int64_t>(uniform() * static_cast<double>(count));
}

Draw::Draw(Random numbers, std::function<Sample(Random&)> others, Random of_batch)
    : random(numbers), batch(of_batch), others_(std::move(others)) {}
Sample Draw::another() {
  if (!others_) throw DataError("transform", "needs another sample, which is not available in prediction");
  return others_(random);
}
Draw Draw::child(std::uint64_t position, std::function<void(Sample&, Draw&)> before) {
  Random shared = batch;  // a copy: which children a sample has must not change the numbers of the batch
  const Random of_child{shared.bits(), position};
  if (!others_ || !before) return Draw(Random{random.bits()}, others_, of_child);
  const auto prepared = [others = others_, before = std::move(before), all = batch](Random& numbers) {
    Sample sample = others(numbers);
    Draw draw(Random{numbers.bits()}, others, all);
    before(sample, draw);
    return sample;
  };
  return Draw(Random{random.bits()}, prepared, of_child);
}

}  // namespace sectile
