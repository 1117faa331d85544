#include <algorithm>
#include <cmath>

#include <sectile/dataset.h>
#include <sectile/sampler.h>

#include "support/component.h"
#include "support/test.h"

using namespace sectile;

namespace {

// 100 samples: class 0 in all, class 1 in the first 25, class 2 in the first and in the last.
BuildContext with_rare_classes() {
  BuildContext context;
  context.list_classes = [] {
    std::vector<std::vector<int>> classes(100, std::vector<int>{0});
    for (std::size_t i = 0; i < 25; ++i) classes[i].push_back(1);
    for (const std::size_t i : {0, 99}) classes[i].push_back(2);
    return classes;
  };
  return context;
}

// How often each sample comes in the whole epochs that the sampler makes.
std::vector<double> repeats(const Sampler& sampler, std::size_t epochs) {
  std::vector<double> times(100);
  for (std::size_t epoch = 0; epoch < epochs; ++epoch)
    for (const auto index : sampler.draw({epoch, 100'000, 100}, Random{1, epoch})) times[index] += 1;
  double one = 0;  // of the samples that are repeated by 1
  for (std::size_t i = 25; i < 99; ++i) one += times[i] / 74;
  for (auto& count : times) count /= one;
  return times;
}

}  // namespace

TEST_CASE("repeat_factor repeats samples by sqrt(t / f) of their rarest class") {
  const auto sampler =
      test::make<Sampler>(R"({"type": "repeat_factor", "repeat_threshold": 0.5})", with_rare_classes());
  const double some = std::sqrt(0.5 / 0.25), rare = std::sqrt(0.5 / 0.02);  // 1.41 and 5
  CHECK(sampler->samples_per_epoch(100) == static_cast<std::size_t>(std::llround(74 + 24 * some + 2 * rare)));
  const auto times = repeats(*sampler, 20);
  CHECK(times[0] == doctest::Approx(rare).epsilon(0.02));
  CHECK(times[99] == doctest::Approx(rare).epsilon(0.02));
  double mean = 0;
  for (std::size_t i = 1; i < 25; ++i) mean += times[i] / 24;
  CHECK(mean == doctest::Approx(some).epsilon(0.01));
}

TEST_CASE("repeat_factor rounds at random in each epoch, so that a sample comes once or twice") {
  const auto sampler =
      test::make<Sampler>(R"({"type": "repeat_factor", "repeat_threshold": 0.5})", with_rare_classes());
  int twice = 0, other = 0;
  for (std::size_t epoch = 0; epoch < 400; ++epoch) {
    const auto drawn = sampler->draw({epoch, 108, 100}, Random{1, epoch});  // all of the least that an epoch may have
    std::vector<int> times(100);
    for (const auto index : drawn) ++times[index];
    CHECK(times[0] <= 5);
    for (std::size_t i = 25; i < 99; ++i) CHECK(times[i] <= 1);
    for (std::size_t i = 1; i < 25; ++i) twice += times[i] == 2, other += times[i] > 2;
    CHECK_FALSE(std::is_sorted(drawn.begin(), drawn.end()));
  }
  CHECK(other == 0);
  CHECK(twice > 0);
}

TEST_CASE("repeat_factor with a low threshold is a shuffled epoch") {
  const auto sampler = test::make<Sampler>(R"({"type": "repeat_factor"})", with_rare_classes());
  CHECK(sampler->samples_per_epoch(100) == 100);
  auto drawn = sampler->draw({0, 100, 100}, Random{1});
  CHECK_FALSE(std::is_sorted(drawn.begin(), drawn.end()));
  std::sort(drawn.begin(), drawn.end());
  CHECK(std::adjacent_find(drawn.begin(), drawn.end()) == drawn.end());
}

TEST_CASE("repeat_factor reads the classes of a dataset without its images, and needs one") {
  BuildContext context = test::context(5);
  context.data = test::make<Dataset>(R"({"type": "synthetic", "count": 30, "size": [64, 64]})");
  const auto sampler = test::make<Sampler>(R"({"type": "repeat_factor", "repeat_threshold": 0.9})", context);
  CHECK(sampler->samples_per_epoch(30) > 30);
  CHECK_THROWS_WITH_AS(sampler->draw({0, 5, 7}, Random{1}), doctest::Contains("knows 30 training samples"), DataError);
  CHECK_THROWS_WITH_AS(test::make<Sampler>(R"({"type": "repeat_factor"})"), doctest::Contains("needs training data"),
                       SpecError);
  CHECK_THROWS_WITH_AS(test::make<Sampler>(R"({"type": "repeat_factor", "repeat_threshold": 2})", context),
                       doctest::Contains("/part/repeat_threshold"), SpecError);
}
