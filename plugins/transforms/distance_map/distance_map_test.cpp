#include <cmath>

#include <sectile/error.h>
#include <nlohmann/json.hpp>

#include "support/annotated.h"
#include "support/component.h"
#include "support/transforms.h"

using sectile::kIgnore;
using sectile::Sample;
using sectile::Transform;
using sectile::test::applied;
using sectile::test::context;
using sectile::test::make;

namespace {

Sample labelled_for_distances(int rows, int columns, const std::vector<int>& values) {
  return sectile::test::labelled(rows, columns, values, CV_16U, 7);
}

sectile::Instance object_of(const cv::Mat& bitmap, int category) {
  sectile::Instance made;
  made.category = category;
  made.mask = sectile::Mask(bitmap.clone());
  made.box = made.mask.box();
  return made;
}

cv::Mat distances(const Sample& sample, nlohmann::json options = nlohmann::json::object(), int classes = 3,
                  bool overlapping = false) {
  options["type"] = "distance_map";
  const auto transform = make<Transform>(options.dump(), context(classes, 3, overlapping));
  return applied(*transform, sample).targets.at("distance_map");
}

std::vector<float> values_of_distances(const cv::Mat& map) {
  CHECK(map.depth() == CV_32F);
  const auto* first = map.ptr<float>();
  return {first, first + map.total() * static_cast<std::size_t>(map.channels())};
}

}  // namespace

TEST_CASE("distance maps are those of SciPy, of classes and of connected components") {
  const auto& expected = sectile::test::expected_of_transform("distance_map");
  REQUIRE(expected.size() == 10);
  for (const auto& one : expected) {
    CAPTURE(one["options"].dump());
    const auto size = one["size"].get<std::vector<int>>();
    const auto sample = labelled_for_distances(size[0], size[1], one["labels"].get<std::vector<int>>());
    const auto found = values_of_distances(distances(sample, one["options"]));
    const auto wanted = one["distances"].get<std::vector<float>>();
    REQUIRE(found.size() == wanted.size());
    float most = 0, largest = 0;
    for (std::size_t i = 0; i < found.size(); ++i) {
      most = std::max(most, std::abs(found[i] - wanted[i]));
      largest = std::max(largest, std::abs(wanted[i]));
    }
    CHECK(most < 2e-6f);
    CHECK(largest > 0);
  }
}

TEST_CASE("distance maps of a row by hand: both sides, limited, and with ignored pixels on neither side") {
  const auto row = labelled_for_distances(1, 8, {0, 0, 0, 1, 1, 1, kIgnore, 0});
  using Values = std::vector<float>;
  const auto one = [&](const char* options) {
    auto json = nlohmann::json::parse(options);
    json["include"] = {"1"};
    return values_of_distances(distances(row, json));
  };
  CHECK(one("{}") == Values{0, 0, 0, 1, 2, 2, 0, 0});
  CHECK(one(R"({"distance": "unsigned"})") == Values{3, 2, 1, 1, 2, 2, 0, 2});
  CHECK(one(R"({"distance": "signed"})") == Values{3, 2, 1, -1, -2, -2, 0, 2});
  CHECK(one(R"({"distance": "signed", "limit": 2})") == Values{2, 2, 1, -1, -2, -2, 0, 2});
  CHECK(one(R"({"distance": "signed", "limit": 4, "normalize": true})") ==
        Values{0.75f, 0.5f, 0.25f, -0.25f, -0.5f, -0.5f, 0, 0.5f});
}

TEST_CASE("a class that is absent or everywhere has no border: its distances are 0, or the limit") {
  const auto all_of_one = labelled_for_distances(1, 2, {1, 1});
  using Values = std::vector<float>;
  const nlohmann::json is_signed{{"distance", "signed"}}, limited{{"distance", "signed"}, {"limit", 5}};
  CHECK(values_of_distances(distances(all_of_one, is_signed)) == Values{0, 0, 0, 0, 0, 0});
  CHECK(values_of_distances(distances(all_of_one, limited)) == Values{5, -5, 5, 5, -5, 5});
}

TEST_CASE("distances of instances end at the next instance, and the later one is on top") {
  auto sample = labelled_for_distances(1, 9, {});
  sample.labels = cv::Mat();
  cv::Mat first(1, 9, CV_8U, cv::Scalar(0)), second = first.clone(), crowd = first.clone();
  first(cv::Rect(1, 0, 4, 1)).setTo(1), second(cv::Rect(4, 0, 3, 1)).setTo(1), crowd.at<std::uint8_t>(0, 8) = 1;
  sample.instances = {object_of(first, 1), object_of(second, 1), object_of(crowd, 1)};
  sample.instances.back().crowd = true;
  using Values = std::vector<float>;
  CHECK(values_of_distances(distances(sample, {{"of", "instances"}})) == Values{0, 1, 2, 1, 1, 2, 1, 0, 0});
  CHECK(values_of_distances(distances(sample, {{"of", "objects"}, {"distance", "signed"}})) ==
        Values{1, -1, -2, -1, -1, -2, -1, 1, 0});
  CHECK(values_of_distances(distances(sample, {{"of", "objects"}, {"include", {"2"}}})) == Values(9, 0.f));
  CHECK(values_of_distances(distances(sample, {{"of", "instances"}, {"normalize", true}})) ==
        Values{0, 0.5f, 1, 0.5f, 0.5f, 1, 0.5f, 0, 0});
}

TEST_CASE("overlapping classes have distances of their own, and volumes distances across slices") {
  auto sample = labelled_for_distances(1, 4, {0, 0, 0, 0});
  sample.labels = cv::Mat(1, 4, CV_32FC2);
  const float shares[] = {1, 0, 1, 1, 0, 1, -1, 0};
  std::copy(std::begin(shares), std::end(shares), sample.labels.ptr<float>());
  CHECK(values_of_distances(distances(sample, nlohmann::json::object(), 2, true)) ==
        std::vector<float>{2, 0, 1, 1, 0, 1, 0, 0});

  Sample volume;
  const int sizes[] = {3, 3, 3};
  volume.image = cv::Mat(3, sizes, CV_8U, cv::Scalar(1));
  volume.labels = cv::Mat(3, sizes, CV_16S, cv::Scalar(0));
  volume.labels.at<std::int16_t>(0, 0, 0) = 1;
  const auto map = distances(volume, {{"include", {"1"}}, {"distance", "signed"}});
  CHECK(map.at<float>(0, 0, 0) == -1);
  CHECK(map.at<float>(2, 0, 0) == 2);
  CHECK(map.at<float>(2, 1, 2) == 3);
  const auto objects = distances(volume, {{"of", "components"}, {"distance", "signed"}});
  CHECK(cv::norm(map, objects, cv::NORM_INF) == 0);
}

TEST_CASE("distance maps have the name that is asked for, and are not made without annotation") {
  const auto named = make<Transform>(R"({"type": "distance_map", "name": "linear"})", context(4));
  CHECK_THROWS_WITH_AS(applied(*named, sectile::test::annotated()),
                       doctest::Contains("annotated: has a target \"linear\" already"), sectile::DataError);
  Sample bare;
  bare.image = cv::Mat(3, 4, CV_32FC(7), cv::Scalar::all(0));
  for (const char* of : {"classes", "objects", "instances", "components"}) {
    const auto json = nlohmann::json{{"type", "distance_map"}, {"of", of}};
    CHECK(applied(*make<Transform>(json.dump(), context(4)), bare).targets.empty());
  }
  const auto after =
      applied(*make<Transform>(R"({"type": "distance_map", "name": "far"})", context(4)), sectile::test::annotated());
  CHECK(after.targets.at("far").type() == CV_32FC4);
  CHECK(after.targets.size() == 3);
  CHECK(distances(labelled_for_distances(1, 1, {1})).size() == cv::Size(1, 1));
}

TEST_CASE("distance maps refuse wrong options and say what they expected") {
  const auto refuses = [](const char* options, const char* message) {
    CAPTURE(options);
    const auto json = std::string(R"({"type": "distance_map", )").append(options).append("}");
    CHECK_THROWS_WITH_AS(make<Transform>(json, context(2)), doctest::Contains(message), sectile::SpecError);
  };
  refuses(R"("name": "")", "/part/name");
  refuses(R"("of": "boxes")", "/part/of");
  refuses(R"("distance": "outside")", "/part/distance");
  refuses(R"("limit": 0)", "/part/limit");
  refuses(R"("include": ["road"])", "/part/include/0: names the class \"road\"");
  CHECK_THROWS_WITH_AS(make<Transform>(R"({"type": "distance_map"})", context(600)),
                       doctest::Contains("/part/include: selects 600 classes"), sectile::SpecError);
}
