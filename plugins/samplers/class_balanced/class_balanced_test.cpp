#include <algorithm>
#include <set>

#include <sectile/dataset.h>
#include <sectile/sampler.h>

#include "support/component.h"
#include "support/test.h"

using namespace sectile;

namespace {

using Classes = std::vector<std::vector<int>>;

// Class 0 in samples 0 to 5, class 1 in 5 and 6, class 2 in 7; sample 8 has none, and class 3 is in none.
const Classes kUnbalanced{{0}, {0}, {0}, {0}, {0}, {0, 1}, {1}, {2}, {}};

BuildContext with_classes_of(const Classes& classes) {
  auto context = test::context(4);
  context.list_classes = [classes] { return classes; };
  return context;
}

std::vector<int> draws_of(const std::string& options, std::size_t samples) {
  const auto json = std::string(R"({"type": "class_balanced")").append(options).append("}");
  const auto sampler = test::make<Sampler>(json, with_classes_of(kUnbalanced));
  std::vector<int> times(kUnbalanced.size());
  for (const auto index : sampler->draw({0, samples, kUnbalanced.size()}, Random{5})) ++times.at(index);
  return times;
}

}  // namespace

TEST_CASE("class_balanced draws for each class equally often, and a class's samples in turn") {
  const auto times = draws_of("", 36);  // 12 for each of three classes
  CHECK(times[7] == 12);
  CHECK(times[6] == 6);
  for (std::size_t i = 0; i < 5; ++i) CHECK(times[i] == 2);
  CHECK(times[5] == 2 + 6);
  CHECK(times[8] == 0);
}

TEST_CASE("class_balanced draws for the named classes only") {
  CHECK(draws_of(R"(, "include": ["1"])", 10) == std::vector<int>{0, 0, 0, 0, 0, 5, 5, 0, 0});
  const auto times = draws_of(R"(, "include": ["2", "0"])", 12);
  CHECK(times == std::vector<int>{1, 1, 1, 1, 1, 1, 0, 6, 0});
}

TEST_CASE("class_balanced takes classes in another order in each turn and epoch, and the same for the same key") {
  const auto sampler = test::make<Sampler>(R"({"type": "class_balanced"})", with_classes_of({{0}, {1}, {2}, {3}}));
  CHECK(sampler->samples_per_epoch(4) == 4);
  const auto drawn = sampler->draw({0, 80, 4}, Random{1});
  CHECK(drawn == sampler->draw({0, 80, 4}, Random{1}));
  CHECK(drawn != sampler->draw({0, 80, 4}, Random{2}));
  std::set<std::vector<std::size_t>> turns;
  for (std::size_t turn = 0; turn < 20; ++turn) {
    const auto begin = drawn.begin() + static_cast<std::ptrdiff_t>(4 * turn);
    turns.emplace(begin, begin + 4);
    CHECK(std::set<std::size_t>(begin, begin + 4).size() == 4);
  }
  CHECK(turns.size() > 8);
}

TEST_CASE("class_balanced reads the classes of a dataset without its images, and needs one with classes") {
  auto context = test::context(5);
  context.data = test::make<Dataset>(R"({"type": "synthetic", "count": 12, "size": [64, 64]})");
  const auto sampler = test::make<Sampler>(R"({"type": "class_balanced", "include": ["1", "2"]})", context);
  for (const auto index : sampler->draw({0, 20, 12}, Random{1})) {
    const auto classes = context.data->classes_of(index);
    CHECK(std::any_of(classes.begin(), classes.end(), [](int number) { return number == 1 || number == 2; }));
  }
  CHECK_THROWS_WITH_AS(sampler->draw({0, 5, 7}, Random{1}), doctest::Contains("knows 12 training samples"), DataError);

  const auto refuses = [](const char* json, const BuildContext& of, const char* message) {
    CHECK_THROWS_WITH_AS(test::make<Sampler>(json, of), doctest::Contains(message), SpecError);
  };
  refuses(R"({"type": "class_balanced"})", {}, "needs training data");
  refuses(R"({"type": "class_balanced"})", with_classes_of({{}, {}}), "finds no class in the training data");
  const auto unbalanced = with_classes_of(kUnbalanced);
  refuses(R"({"type": "class_balanced", "include": ["0", "3"]})", unbalanced,
          "/part/include/1: names the class \"3\", which no training sample has");
  refuses(R"({"type": "class_balanced", "include": ["4"]})", unbalanced, "/part/include/0: names the class \"4\"");
  refuses(R"({"type": "class_balanced", "include": ["1", "1"]})", unbalanced, "names the class \"1\" again");
}
