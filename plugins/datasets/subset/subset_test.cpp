#include <set>

#include <sectile/dataset.h>
#include <sectile/random.h>
#include <nlohmann/json.hpp>
#include <opencv2/core.hpp>

#include "support/component.h"
#include "support/test.h"

using nlohmann::json;
using namespace sectile;

namespace {

std::shared_ptr<Dataset> subset(const json& options, int size = 10) {
  json spec = {{"type", "subset"}, {"dataset", {{"type", "synthetic"}, {"count", size}, {"seed", 4}}}};
  spec.update(options);
  return test::make<Dataset>(spec.dump());
}

// Which samples of the dataset they are; those of synthetic are named "4-0", "4-1", …
std::vector<int> numbers_of(const json& options, int size = 10) {
  const auto data = subset(options, size);
  std::vector<int> all;
  for (std::size_t i = 0; i < data->size(); ++i) all.push_back(std::stoi(data->id_of(i).substr(2)));
  return all;
}
using Numbers = std::vector<int>;

std::vector<std::string> problems(const json& options) {
  std::vector<std::string> found;
  try {
    subset(options);
  } catch (const SpecError& error) {
    for (const auto& one : error.problems()) found.push_back(one.pointer);
  }
  return found;
}
using Pointers = std::vector<std::string>;

}  // namespace

TEST_CASE("subset takes samples by number, or a stretch") {
  CHECK(numbers_of(json::object()) == Numbers{0, 1, 2, 3, 4, 5, 6, 7, 8, 9});
  CHECK(numbers_of({{"indices", {7, 0, 3}}}) == Numbers{7, 0, 3});
  CHECK(numbers_of({{"skip", 8}}) == Numbers{8, 9});
  CHECK(numbers_of({{"count", 3}}) == Numbers{0, 1, 2});
  CHECK(numbers_of({{"skip", 8}, {"count", 5}}) == Numbers{8, 9});
  CHECK(numbers_of({{"skip", 1}, {"fraction", 0.3}}) == Numbers{1, 2, 3});
  CHECK(numbers_of({{"fraction", 0.25}}, 6) == Numbers{0, 1});  // 1.5 is rounded to 2
  CHECK(numbers_of({{"fraction", 0}}) == Numbers{0});
  CHECK(numbers_of({{"fraction", 1}}, 3) == Numbers{0, 1, 2});
}

TEST_CASE("a seed shuffles before anything is chosen, so that two stretches do not meet") {
  const auto first = numbers_of({{"seed", 3}, {"count", 6}}), rest = numbers_of({{"seed", 3}, {"skip", 6}});
  std::set<int> all(first.begin(), first.end());
  all.insert(rest.begin(), rest.end());
  CHECK(all.size() == 10);
  CHECK(first == numbers_of({{"seed", 3}, {"fraction", 0.6}}));
  CHECK(first != numbers_of({{"seed", 4}, {"count", 6}}));
  CHECK_FALSE(std::is_sorted(first.begin(), first.end()));
  // Over many seeds each sample comes first about equally often: 1000 ± 5 standard deviations of 30.
  std::vector<int> counts(10);
  for (int seed = 0; seed < 10000; ++seed) {
    std::vector<int> order{0, 1, 2, 3, 4, 5, 6, 7, 8, 9};
    Random{static_cast<std::uint64_t>(seed)}.shuffle(order);
    ++counts[static_cast<std::size_t>(order[0])];
  }
  for (const int count : counts) CHECK(std::abs(count - 1000) < 150);
}

TEST_CASE("a sample of a subset is that of the dataset") {
  const auto part = subset({{"indices", {7, 2}}});
  const auto whole = subset(json::object());
  const auto sample = part->read(1), same = whole->read(2);
  CHECK(sample.id == "4-2");
  CHECK(cv::norm(sample.image, same.image, cv::NORM_INF) == 0);
  CHECK(part->classes_of(1) == whole->classes_of(2));
  CHECK(part->labels().classes[1].name == whole->labels().classes[1].name);
  CHECK_THROWS(part->read(2));
}

TEST_CASE("what a subset cannot choose is told with its place") {
  CHECK(problems({{"indices", {1, 1}}}) == Pointers{"/part/indices/1"});
  CHECK(problems({{"indices", {-1}}}) == Pointers{"/part/indices/0"});
  CHECK(problems({{"indices", {1}}, {"skip", 1}}) == Pointers{"/part/indices"});
  CHECK(problems({{"count", 1}, {"fraction", 0.5}}) == Pointers{"/part/fraction"});
  CHECK(problems({{"count", 0}, {"fraction", 1.5}, {"skip", -1}, {"seed", -1}}) ==
        Pointers{"/part/seed", "/part/skip", "/part/count", "/part/fraction"});
  CHECK(problems({{"dataset", {{"type", "subset"}}}}) == Pointers{"/part/dataset"});
  CHECK_THROWS_WITH_AS(subset({{"indices", {3, 10}}}),
                       doctest::Contains("/part/indices/1: there is no sample 10: the dataset has 10"), SpecError);
  CHECK_THROWS_WITH_AS(subset({{"skip", 10}}),
                       doctest::Contains("/part/skip: leaves out 10 samples, and the dataset has 10"), SpecError);
}
