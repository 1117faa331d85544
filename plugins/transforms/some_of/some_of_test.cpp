#include <array>
#include <map>

#include <sectile/error.h>
#include <nlohmann/json.hpp>

#include "support/annotated.h"
#include "support/component.h"
#include "support/transforms.h"

using sectile::Sample;
using sectile::Transform;
using sectile::test::applied;
using sectile::test::make;

namespace {

nlohmann::json some_of_brighter(double by) {
  return {
      {"type", "brightness_contrast"}, {"probability", 1}, {"brightness_limit", {by, by}}, {"contrast_limit", {0, 0}}};
}

// Each of the three adds to another decimal digit.
nlohmann::json some_of_three(const nlohmann::json& changes) {
  nlohmann::json spec = {{"type", "some_of"}};
  for (const double by : {0.001, 0.01, 0.1}) spec["transforms"].push_back(some_of_brighter(by));
  if (!changes.is_null()) spec.update(changes);
  return spec;
}

Sample some_of_pixel(float value) {
  Sample sample;
  sample.id = "one";
  sample.image = cv::Mat(1, 1, CV_32F, cv::Scalar(value));
  return sample;
}

// How often each of the three was applied, as a number of three digits, and how often that came.
std::map<int, int> some_of_counts(const nlohmann::json& changes, std::uint64_t draws = 2000) {
  const auto transform = make<Transform>(some_of_three(changes).dump());
  std::map<int, int> times;
  for (std::uint64_t seed = 0; seed < draws; ++seed)
    ++times[cvRound(1000 * applied(*transform, some_of_pixel(0), seed).image.at<float>(0, 0))];
  return times;
}

}  // namespace

TEST_CASE("some_of applies as many different transforms as it is told, all equally often") {
  const auto ones = some_of_counts({});  // 1 by default
  CHECK(ones.size() == 3);
  for (const int digits : {1, 10, 100}) CHECK(std::abs(ones.at(digits) - 667) < 100);
  const auto twos = some_of_counts({{"n", 2}});
  CHECK(twos.size() == 3);
  for (const int digits : {11, 101, 110}) CHECK(std::abs(twos.at(digits) - 667) < 100);
  CHECK(some_of_counts({{"n", 3}}, 50) == std::map<int, int>{{111, 50}});
  CHECK(some_of_counts({{"n", 0}}, 50) == std::map<int, int>{{0, 50}});
}

TEST_CASE("some_of draws how many from a range, whose numbers are equally likely") {
  const auto times = some_of_counts({{"n", {0, 2}}}, 3000);
  CHECK(std::abs(times.at(0) - 1000) < 120);
  CHECK(std::abs(times.at(1) + times.at(10) + times.at(100) - 1000) < 120);
  CHECK(std::abs(times.at(11) + times.at(101) + times.at(110) - 1000) < 120);
  CHECK(times.size() == 7);
}

TEST_CASE("some_of applies a transform several times with replace") {
  const auto times = some_of_counts({{"n", 2}, {"replace", true}}, 1800);
  for (const int twice : {2, 20, 200}) CHECK(std::abs(times.at(twice) - 200) < 60);
  for (const int mixed : {11, 101, 110}) CHECK(std::abs(times.at(mixed) - 400) < 80);
  for (const auto& [digits, unused] : some_of_counts({{"n", 5}, {"replace", true}}, 100))
    CHECK(digits / 100 + digits / 10 % 10 + digits % 10 == 5);
}

TEST_CASE("some_of keeps the order of its list") {
  const nlohmann::json doubled = {
      {"type", "brightness_contrast"}, {"probability", 1}, {"brightness_limit", {0, 0}}, {"contrast_limit", {1, 1}}};
  const nlohmann::json spec = {{"type", "some_of"}, {"n", 2}, {"transforms", {doubled, some_of_brighter(0.5)}}};
  const auto transform = make<Transform>(spec.dump());
  for (std::uint64_t seed = 0; seed < 50; ++seed)
    CHECK(applied(*transform, some_of_pixel(0.25f), seed).image.at<float>(0, 0) == doctest::Approx(1));  // and not 1.5
}

TEST_CASE("some_of is always applied by default, and as often as its probability says") {
  CHECK(some_of_counts({}, 200).count(0) == 0);
  CHECK(std::abs(some_of_counts({{"probability", 0.25}}).at(0) - 1500) < 90);
  const auto before = some_of_pixel(0.5f);
  CHECK(applied(*make<Transform>(some_of_three({{"probability", 0}}).dump()), before).image.data == before.image.data);
}

TEST_CASE("samples that are mixed in inside some_of have been through the chosen transforms before") {
  sectile::test::check_others_go_through("some_of", {{"n", 2}});
}

TEST_CASE("some_of says what is wrong with its options") {
  const auto refused = [](const nlohmann::json& changes, const char* message) {
    CHECK_THROWS_WITH_AS(make<Transform>(some_of_three(changes).dump()), doctest::Contains(message),
                         sectile::SpecError);
  };
  refused({{"n", 1001}, {"replace", true}}, "/part/n: 1001 is too large");
  CHECK_NOTHROW(make<Transform>(some_of_three({{"n", {0, 1000}}, {"replace", true}}).dump()));
  refused({{"n", 4}}, "/part/n: is 4, and there are 3 transforms: expected at most that many without \"replace\"");
  refused({{"n", {1, 4}}}, "/part/n: is 4, and there are 3 transforms");
  refused({{"n", {2, 1}}}, "/part/n: the minimum is greater than the maximum");
  refused({{"n", {1, 2, 3}}}, "/part/n: has 3 numbers; expected one, or [min, max]");
  refused({{"n", nlohmann::json::array()}}, "/part/n: must not be empty");
  refused({{"n", -1}}, "-1 is too small");
  refused({{"transforms", nlohmann::json::array()}}, "/part/transforms: must not be empty");
  refused({{"probability", 2}}, "/part/probability: 2 is too large");
}
