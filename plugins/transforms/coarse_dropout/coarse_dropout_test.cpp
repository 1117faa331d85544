#include <cmath>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <nlohmann/json.hpp>
#include <opencv2/core.hpp>

#include <sectile/error.h>

#include "support/annotated.h"
#include "support/component.h"
#include "support/transforms.h"

using sectile::Sample;
using sectile::Transform;
using sectile::test::annotated;
using sectile::test::applied;

namespace {

Sample sheet_with_holes(int type, cv::Size size = {60, 40}, double value = 100) {
  return sectile::test::sheet_of(type, size, value);
}

std::shared_ptr<Transform> dropout(nlohmann::json options, const sectile::BuildContext& context = {}) {
  return sectile::test::always("coarse_dropout", std::move(options), context);
}

}  // namespace

TEST_CASE("coarse_dropout drops as much as albumentations 2.0.8") {
  const auto& expected = sectile::test::expected_of_transform("coarse_dropout");
  REQUIRE(expected.size() == 4);
  for (const auto& one : expected) {
    CAPTURE(one["options"].dump());
    const auto drop = dropout(one["options"]);
    const Sample sheet = sheet_with_holes(CV_8U);
    double sum = 0, squares = 0;
    constexpr int kTimes = 4000;
    for (std::uint64_t seed = 0; seed < kTimes; ++seed) {
      const double share = 1 - cv::countNonZero(applied(*drop, sheet, seed).image) / 2400.0;
      sum += share, squares += share * share;
    }
    const double mean = sum / kTimes, deviation = std::sqrt(squares / kTimes - mean * mean);
    const double usual = one["deviation"].get<double>();
    CHECK(std::abs(mean - one["mean"].get<double>()) < 6 * usual / std::sqrt(kTimes));
    CHECK(std::abs(deviation - usual) < 0.08 * usual);
  }
}

TEST_CASE("coarse_dropout cuts holes of the size it is told, anywhere alike") {
  const auto drop =
      dropout({{"num_holes_range", {1, 1}}, {"hole_height_range", {10, 10}}, {"hole_width_range", {0.5, 0.5}}});
  std::map<int, int> tops, lefts;
  const Sample sheet = sheet_with_holes(CV_8U, {12, 13});
  for (std::uint64_t seed = 0; seed < 700; ++seed) {
    const cv::Mat hole = applied(*drop, sheet, seed).image == 0;
    const cv::Rect box = cv::Rect(sectile::Mask(hole).box());
    CHECK(box.size() == cv::Size(6, 10));
    CHECK(cv::countNonZero(hole) == 60);
    ++tops[box.y], ++lefts[box.x];
  }
  CHECK(tops.size() == 4);
  CHECK(lefts.size() == 7);
  for (const auto& [top, times] : tops) CHECK(times > 120);   // of 175
  for (const auto& [left, times] : lefts) CHECK(times > 60);  // of 100
  CHECK(sheet.image.at<std::uint8_t>(6, 6) == 100);           // what others may hold is not written to
}

TEST_CASE("coarse_dropout fills any type and number of channels, and all slices of a volume") {
  const nlohmann::json whole = {{"hole_height_range", {9, 1000}}, {"hole_width_range", {9, 1000}}};
  for (const int type : {CV_8UC1, CV_8UC4, CV_8UC(7), CV_16UC3, CV_16SC1, CV_32FC(7)}) {
    CAPTURE(cv::typeToString(type));
    auto options = whole;
    options["fill"] = 7;
    const cv::Mat after = applied(*dropout(options), sheet_with_holes(type, {9, 9})).image;
    REQUIRE(after.type() == type);
    CHECK(cv::norm(after, sheet_with_holes(type, {9, 9}, 7).image, cv::NORM_INF) == 0);
    CHECK(cv::norm(applied(*dropout(whole), sheet_with_holes(type, {9, 9})).image, cv::NORM_INF) == 0);
  }
  auto options = whole;
  options["fill"] = {1, 2, 3};
  const auto colored = dropout(options);
  CHECK(applied(*colored, sheet_with_holes(CV_8UC3, {1, 1})).image.at<cv::Vec3b>(0, 0) == cv::Vec3b(1, 2, 3));
  CHECK_THROWS_WITH_AS(applied(*colored, sheet_with_holes(CV_8UC4)),
                       doctest::Contains("sheet: has 4 channels, and coarse_dropout's \"fill\" 3 values: give one"),
                       sectile::DataError);
  // Also where chance does not have it applied.
  const auto seldom = dropout({{"fill", {1, 2, 3}}, {"probability", 0}});
  CHECK_THROWS_AS(applied(*seldom, sheet_with_holes(CV_8UC4)), sectile::DataError);
  Sample volume;
  const int sizes[] = {3, 40, 60};
  volume.image = cv::Mat(3, sizes, CV_8UC2, cv::Scalar(100, 100));
  const cv::Mat after = applied(*dropout({{"num_holes_range", {1, 1}}}), volume).image;
  int dropped[3] = {};
  for (int z = 0; z < 3; ++z)
    for (int i = 0; i < 2400; ++i) {
      dropped[z] += after.ptr<cv::Vec2b>(z)[i] == cv::Vec2b(0, 0);
      CHECK(after.ptr<cv::Vec2b>(z)[i] == after.ptr<cv::Vec2b>(0)[i]);
    }
  CHECK(dropped[0] > 0);
  CHECK(dropped[2] == dropped[0]);
}

TEST_CASE("coarse_dropout fills holes with random values, or each with a random color") {
  const nlohmann::json whole = {
      {"num_holes_range", {1, 1}}, {"hole_height_range", {99, 99}}, {"hole_width_range", {99, 99}}};
  auto random = whole, uniform = whole;
  random["fill_mode"] = "random";
  uniform["fill_mode"] = "random_uniform";
  for (const int type : {CV_8UC3, CV_16UC1, CV_32FC(5)}) {
    CAPTURE(cv::typeToString(type));
    const double largest = CV_MAT_DEPTH(type) == CV_8U ? 255 : CV_MAT_DEPTH(type) == CV_16U ? 65535 : 1;
    cv::Mat values;
    const cv::Mat all = applied(*dropout(random), sheet_with_holes(type, {90, 80}, 0)).image;
    all.reshape(1, 1).convertTo(values, CV_64F, 1 / largest);
    cv::Scalar mean, deviation;
    cv::meanStdDev(values, mean, deviation);
    CHECK(std::abs(mean[0] - 0.5) < 0.015);
    CHECK(std::abs(deviation[0] - std::sqrt(1 / 12.0)) < 0.01);
    const cv::Mat even = applied(*dropout(uniform), sheet_with_holes(type, {90, 80}, 0)).image;
    const cv::Mat corner = cv::repeat(even(cv::Rect(0, 0, 1, 1)), 80, 90);
    CHECK(cv::norm(even, corner, cv::NORM_INF) == 0);
    CHECK(cv::norm(even, cv::NORM_INF) > 0);
    CHECK(cv::norm(even, applied(*dropout(uniform), sheet_with_holes(type, {90, 80}, 0), 2).image, cv::NORM_INF) > 0);
  }
  CHECK_THROWS_WITH_AS(applied(*dropout(random), sheet_with_holes(CV_16SC1)), doctest::Contains("sheet: "),
                       sectile::DataError);
}

TEST_CASE("coarse_dropout leaves annotation alone unless it is told its class") {
  const Sample before = annotated();
  const Sample after = applied(*dropout({{"hole_height_range", {17, 17}}, {"hole_width_range", {9, 9}}}), before);
  CHECK(cv::norm(after.image, before.image, cv::NORM_INF) > 0);
  CHECK(after.labels.data == before.labels.data);
  CHECK(after.segment_ids.data == before.segment_ids.data);
  CHECK(after.instances.size() == 3);
  CHECK(after.instances[0].box == before.instances[0].box);
  CHECK(after.targets.at("linear").data == before.targets.at("linear").data);
}

TEST_CASE("coarse_dropout with a class cuts the holes out of all annotation") {
  sectile::BuildContext context = sectile::test::context(4);
  const Sample before = annotated();
  for (const char* name : {"2", ""}) {
    CAPTURE(std::string(name));
    const int number = *name ? 2 : sectile::kIgnore;
    const auto drop = dropout({{"num_holes_range", {1, 1}},
                               {"hole_height_range", {17, 17}},
                               {"hole_width_range", {9, 9}},
                               {"fill", 251},
                               {"label_fill", name}},
                              context);
    bool lost = false;
    for (std::uint64_t seed = 0; seed < 30; ++seed) {
      const Sample after = applied(*drop, before, seed);
      cv::Mat red;
      cv::extractChannel(after.image, red, 0);
      const cv::Mat hole = red == 251, rest = red != 251;
      REQUIRE(cv::countNonZero(hole) == 17 * 9);
      cv::Mat labels = before.labels.clone(), ids = before.segment_ids.clone();
      cv::Mat linear = before.targets.at("linear").clone(), nearest = before.targets.at("nearest").clone();
      labels.setTo(number, hole), ids.setTo(0, hole), linear.setTo(0, hole), nearest.setTo(sectile::kIgnore, hole);
      CHECK(cv::norm(after.labels, labels, cv::NORM_INF) == 0);
      CHECK(cv::norm(after.segment_ids, ids, cv::NORM_INF) == 0);
      CHECK(cv::norm(after.targets.at("linear"), linear, cv::NORM_INF) == 0);
      CHECK(cv::norm(after.targets.at("nearest"), nearest, cv::NORM_INF) == 0);
      int kept = 0;
      for (const auto& instance : before.instances) {
        const cv::Mat left = (before.labels == instance.category) & rest;
        const bool has_mask = !instance.mask.empty();
        const sectile::Instance* found = nullptr;
        for (const auto& one : after.instances)
          if (one.id == instance.id) found = &one;
        if (!found) {
          CHECK(cv::countNonZero(left) == 0);
          lost = true;
          continue;
        }
        ++kept;
        if (!has_mask) {
          CHECK(found->box == instance.box);
          continue;
        }
        CHECK(cv::norm(found->mask.bitmap() * 255, left, cv::NORM_INF) == 0);
        CHECK(found->box == sectile::Mask(left).box());
        CHECK(found->area.has_value() == (cv::countNonZero(left) == instance.mask.area()));
      }
      CHECK(kept == static_cast<int>(after.instances.size()));
    }
    CHECK(lost);
  }
  CHECK(cv::countNonZero(before.labels == 1) == 30);  // what others may hold is not written to

  Sample classes;
  classes.id = "classes";
  classes.image = cv::Mat(1, 1, CV_8U, cv::Scalar(9));
  classes.labels = cv::Mat(1, 1, CV_32FC3, cv::Scalar(1, 0.5, 0));
  const nlohmann::json whole = {{"hole_height_range", {1, 1}}, {"hole_width_range", {1, 1}}, {"label_fill", "2"}};
  CHECK(applied(*dropout(whole, context), classes).labels.at<cv::Vec3f>(0, 0) == cv::Vec3f(0, 0, 1));
  auto ignored = whole;
  ignored["label_fill"] = "";
  CHECK(applied(*dropout(ignored, context), classes).labels.at<cv::Vec3f>(0, 0) == cv::Vec3f(-1, -1, -1));
  auto fourth = whole;
  fourth["label_fill"] = "3";
  CHECK_THROWS_WITH_AS(applied(*dropout(fourth, context), classes),
                       doctest::Contains("classes: has labels of 3 classes, and class 3"), sectile::DataError);
  classes.image = cv::Mat();  // only the annotation was read
  CHECK(applied(*dropout(whole, context), classes).labels.at<cv::Vec3f>(0, 0) == cv::Vec3f(0, 0, 1));
}

TEST_CASE("coarse_dropout is applied as often as its probability says, and else changes nothing") {
  const Sample before = annotated();
  const auto half = dropout({{"probability", 0.5}});
  int times = 0;
  for (std::uint64_t seed = 0; seed < 1000; ++seed)
    times += applied(*half, before, seed).image.data != before.image.data;
  CHECK(times > 440);
  CHECK(times < 560);
  CHECK(applied(*dropout({{"probability", 0}}), before).image.data == before.image.data);
}

TEST_CASE("coarse_dropout says which options do not fit") {
  const auto refused = [](nlohmann::json options, const char* problem) {
    CHECK_THROWS_WITH_AS(dropout(std::move(options), sectile::test::context(3)), doctest::Contains(problem),
                         sectile::SpecError);
  };
  refused({{"num_holes_range", {3, 2}}}, "/part/num_holes_range: the minimum is greater");
  refused({{"num_holes_range", {1, 10001}}}, "/part/num_holes_range/1: 10001 is too large");
  refused({{"hole_width_range", {1, 1e9}}}, "/part/hole_width_range/1: ");
  refused({{"num_holes_range", {0, 2}}}, "/part/num_holes_range/0: ");
  CHECK_NOTHROW(dropout({{"num_holes_range", {1, 10000}}}, sectile::test::context(3)));
  refused({{"hole_height_range", {0.3, 0.2}}}, "/part/hole_height_range: the minimum is greater");
  refused({{"hole_width_range", {0.5, 3}}}, "/part/hole_width_range: expected two fractions below 1, or two whole");
  refused({{"hole_height_range", {1, 2.5}}}, "/part/hole_height_range: expected two fractions");
  refused({{"hole_height_range", {-1, 2}}}, "/part/hole_height_range/0: ");
  refused({{"fill", 3}, {"fill_mode", "random"}}, "/part/fill: has no effect with this fill_mode");
  refused({{"fill", nlohmann::json::array()}}, "/part/fill: must not be empty");
  refused({{"fill_mode", "inpaint"}}, "/part/fill_mode: unknown value");
  refused({{"label_fill", "raod"}}, "/part/label_fill: names the class \"raod\"");
}
