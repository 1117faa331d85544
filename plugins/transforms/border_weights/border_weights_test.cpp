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

Sample labelled_for_weights(int rows, int columns, const std::vector<int>& values) {
  return sectile::test::labelled(rows, columns, values, CV_32FC3, 0.5);
}

std::vector<float> weights_of(const Sample& sample, nlohmann::json options = nlohmann::json::object(),
                              const sectile::BuildContext& of = context(2)) {
  options["type"] = "border_weights";
  const auto map = applied(*make<Transform>(options.dump(), of), sample).targets.at("border_weights");
  CHECK(map.type() == CV_32FC1);
  CHECK(sectile::extent(map) == sectile::extent(sample.image));
  return {map.ptr<float>(), map.ptr<float>() + map.total()};
}

// What the formula adds.
float between(double both, double w0 = 10, double sigma = 5) {
  return static_cast<float>(w0 * std::exp(-both * both / (2 * sigma * sigma)));
}

void check_weights(const std::vector<float>& found, const std::vector<float>& expected) {
  REQUIRE(found.size() == expected.size());
  for (std::size_t i = 0; i < found.size(); ++i) CHECK(found[i] == doctest::Approx(expected[i]).epsilon(1e-5));
}

}  // namespace

TEST_CASE("border weights are U-Net's, by the distances of SciPy to all objects") {
  const auto& expected = sectile::test::expected_of_transform("border_weights");
  REQUIRE(expected.size() == 4);
  for (const auto& one : expected) {
    CAPTURE(one["sigma"].dump());
    const auto size = one["size"].get<std::vector<int>>();
    const auto found =
        weights_of(labelled_for_weights(size[0], size[1], one["labels"].get<std::vector<int>>()),
                   {{"w0", one["w0"]}, {"sigma", one["sigma"]}, {"class_weights", one["class_weights"]}});
    const auto wanted = one["weights"].get<std::vector<float>>();
    REQUIRE(found.size() == wanted.size());
    float most = 0;
    for (std::size_t i = 0; i < found.size(); ++i) most = std::max(most, std::abs(found[i] - wanted[i]));
    CHECK(most < 2e-5f);
  }
}

TEST_CASE("border weights of a row by hand: between two objects, of a single one, and of ignored pixels") {
  const auto two = labelled_for_weights(1, 7, {0, 1, 0, kIgnore, 1, 1, 0});
  // d1 and d2 from the pixels of no object: 1 and 4; 1 and 2; 1 and 5.
  check_weights(weights_of(two), {1 + between(5), 1, 1 + between(3), 0, 1, 1, 1 + between(6)});
  check_weights(weights_of(two, {{"w0", 3}, {"sigma", 2}}),
                {1 + between(5, 3, 2), 1, 1 + between(3, 3, 2), 0, 1, 1, 1 + between(6, 3, 2)});
  check_weights(weights_of(two, {{"w0", 0}}), {1, 1, 1, 0, 1, 1, 1});
  check_weights(weights_of(labelled_for_weights(1, 3, {0, 1, 0})), {1, 1, 1});
  check_weights(weights_of(labelled_for_weights(1, 1, {0})), {1});
}

TEST_CASE("border weights of instances that touch have a border where labels see one object") {
  auto sample = labelled_for_weights(1, 5, {0, 1, 1, 1, 0});
  for (const int left : {1, 2}) {
    cv::Mat bitmap(1, 5, CV_8U, cv::Scalar(0));
    bitmap(cv::Rect(left, 0, left, 1)).setTo(1);
    sectile::Instance instance;
    instance.category = 1;
    instance.mask = sectile::Mask(bitmap);
    sample.instances.push_back(instance);
  }
  check_weights(weights_of(sample), {1 + between(3), 1, 1, 1, 1 + between(4)});
  check_weights(weights_of(sample, {{"objects", "components"}}), {1, 1, 1, 1, 1});
  check_weights(weights_of(sample, {{"include", {"0"}}}), {1, 1, 1, 1, 1});
  sample.labels = cv::Mat();
  check_weights(weights_of(sample, {{"objects", "instances"}}), {1 + between(3), 1, 1, 1, 1 + between(4)});
}

TEST_CASE("border weights of objects far away are those of near ones: nothing is cut off that counts") {
  std::vector<int> values(80, 0);
  values[0] = values[70] = 1;
  const auto found = weights_of(labelled_for_weights(1, 80, values), {{"sigma", 12}});
  for (const std::size_t i : {10, 35})  // 10 and 60 away, 35 and 35
    CHECK(found[i] == doctest::Approx(1 + between(70, 10, 12)).epsilon(1e-7));
  CHECK(found[79] == doctest::Approx(1).epsilon(1e-7));
}

TEST_CASE("pixels of classes are weighed by given weights, or by how rare the class is in the training data") {
  const auto row = labelled_for_weights(1, 4, {0, 1, 1, kIgnore});
  check_weights(weights_of(row, {{"class_weights", {0.5, 3}}}), {0.5, 3, 3, 0});
  auto counted = context(3);
  counted.count_pixels = [] { return std::vector<std::int64_t>{300, 100, 0}; };
  check_weights(weights_of(row, {{"class_balance", "inverse"}}, counted), {400.f / 600, 2, 2, 0});

  auto soft = row;
  soft.labels = cv::Mat(1, 4, CV_32FC2);
  const float shares[] = {1, 0, 0.25f, 0.75f, 0, 1, -1, -1};
  std::copy(std::begin(shares), std::end(shares), soft.labels.ptr<float>());
  check_weights(weights_of(soft, {{"class_weights", {0.5, 3}}}), {0.5, 0.25 * 0.5 + 0.75 * 3, 3, 0});
}

TEST_CASE("border weights of volumes take distances across slices") {
  Sample volume;
  const int sizes[] = {3, 1, 1};
  volume.image = cv::Mat(3, sizes, CV_16U, cv::Scalar(1));
  volume.labels = cv::Mat(3, sizes, CV_16S, cv::Scalar(1));
  volume.labels.at<std::int16_t>(1, 0, 0) = 0;
  check_weights(weights_of(volume), {1, 1 + between(2), 1});
}

TEST_CASE("border weights have the name that is asked for, and are not made without annotation") {
  const auto named = make<Transform>(R"({"type": "border_weights", "name": "linear"})", context(4));
  CHECK_THROWS_WITH_AS(applied(*named, sectile::test::annotated()),
                       doctest::Contains("annotated: has a target \"linear\" already"), sectile::DataError);
  Sample bare;
  bare.image = cv::Mat(3, 4, CV_8UC4, cv::Scalar::all(0));
  CHECK(applied(*named, bare).targets.empty());
}

TEST_CASE("border weights refuse wrong options and say what they expected") {
  const auto refuses = [](const char* options, const char* message, bool overlapping = false) {
    CAPTURE(options);
    const auto json = std::string(R"({"type": "border_weights", )").append(options).append("}");
    CHECK_THROWS_WITH_AS(make<Transform>(json, context(2, 3, overlapping)), doctest::Contains(message),
                         sectile::SpecError);
  };
  refuses(R"("w0": -1)", "/part/w0");
  refuses(R"("w0": 1e7)", "/part/w0");
  refuses(R"("sigma": 1001)", "/part/sigma");
  refuses(R"("sigma": 0.009)", "/part/sigma");
  CHECK_NOTHROW(make<Transform>(R"({"type": "border_weights", "w0": 1e6, "sigma": 1000})", context(2)));
  CHECK_NOTHROW(make<Transform>(R"({"type": "border_weights", "w0": 0, "sigma": 0.01})", context(2)));
  refuses(R"("objects": "boxes")", "/part/objects");
  refuses(R"("name": "")", "/part/name");
  refuses(R"("include": ["cell"])", "/part/include/0: names the class \"cell\"");
  refuses(R"("class_weights": [-1, 1])", "/part/class_weights");
  refuses(R"("class_weights": [1])", "/part/class_weights: has 1 value, and the dataset has 2 classes");
  refuses(R"("class_weights": [1, 2], "class_balance": "inverse")", "remove one of both");
  refuses(R"("class_balance": "inverse")", "/part/class_balance: needs training data");
  refuses(R"("class_weights": [1, 2])", "the classes overlap", true);
}
