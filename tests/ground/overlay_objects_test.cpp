// Overlays of objects: masks, boxes, and texts in colors of their own.
#include <opencv2/core.hpp>

#include <sectile/data/colors.h>
#include <sectile/error.h>

#include "ground/overlays/overlay.h"
#include "support/test.h"

using namespace sectile;

namespace {

const cv::Size kSide(200, 160);

Instance shown_object(const cv::Rect& box, float score, int category = 0) {
  cv::Mat mask = cv::Mat::zeros(kSide, CV_8U);
  mask(box) = cv::Scalar(1);
  Instance made;
  made.box = cv::Rect2f(box);
  made.mask = Mask(mask);
  made.score = score;
  made.category = category;
  return made;
}

LabelMap shown_classes() { return {.classes = {{.name = "cat"}, {.name = "gr\u00fcn"}}}; }

// The color of an object over gray, at its mask's share.
cv::Vec3b tinted(int index, int gray) {
  const auto color = distinct_color(index);
  cv::Vec3b made;
  for (int c = 0; c < 3; ++c)
    made[c] = static_cast<std::uint8_t>(std::lround(0.55 * gray + 0.45 * color[static_cast<std::size_t>(c)]));
  return made;
}

bool near(const cv::Vec3b& a, const cv::Vec3b& b) {
  for (int c = 0; c < 3; ++c)
    if (std::abs(int{a[c]} - int{b[c]}) > 1) return false;
  return true;
}

}  // namespace

TEST_CASE("an overlay shows each object's mask, box, class and score, the best on top") {
  const cv::Mat image(kSide, CV_8UC3, cv::Scalar::all(100));
  const auto shown =
      overlay(image, {shown_object({40, 50, 60, 60}, 0.9f), shown_object({120, 60, 50, 40}, 0.5f, 1)}, shown_classes());
  REQUIRE(shown.type() == CV_8UC3);
  CHECK(near(shown.at<cv::Vec3b>(80, 70), tinted(0, 100)));
  CHECK(near(shown.at<cv::Vec3b>(80, 140), tinted(1, 100)));
  CHECK(shown.at<cv::Vec3b>(140, 20) == cv::Vec3b(100, 100, 100));
  const auto color = distinct_color(0);
  for (const int edge : {40, 99}) CHECK(shown.at<cv::Vec3b>(80, edge) == cv::Vec3b(color[0], color[1], color[2]));
  for (const int outside : {38, 101}) CHECK(shown.at<cv::Vec3b>(80, outside) == cv::Vec3b(100, 100, 100));
  cv::Mat difference;
  cv::absdiff(shown(cv::Rect(40, 35, 60, 14)), image(cv::Rect(40, 35, 60, 14)), difference);
  CHECK(cv::countNonZero(difference.reshape(1) > 0) > 100);  // the text, above the box
  CHECK(image.at<cv::Vec3b>(80, 70) == cv::Vec3b(100, 100, 100));

  const auto crossed =
      overlay(image, {shown_object({40, 50, 60, 60}, 0.9f), shown_object({70, 80, 60, 60}, 0.5f)}, shown_classes());
  const auto below = tinted(1, 100), both = crossed.at<cv::Vec3b>(95, 85);
  for (int c = 0; c < 3; ++c)
    CHECK(std::abs(0.55 * below[c] + 0.45 * color[static_cast<std::size_t>(c)] - both[c]) <= 1);
}

TEST_CASE("overlays of objects take boxes without masks, at every edge, and images of any type") {
  Instance bare;
  for (const auto& box : {cv::Rect2f(0, 0, 200, 160), cv::Rect2f(150, 0, 80, 30), cv::Rect2f(-20, -20, 10, 10),
                          cv::Rect2f(199, 159, 1, 1), cv::Rect2f(10, 10, 0, 0)}) {
    bare.box = box;
    CHECK(overlay(cv::Mat(kSide, CV_16U, cv::Scalar(500)), {bare}, shown_classes()).size() == kSide);
  }
  bare.box = {0, 0, 1, 1};
  CHECK(overlay(cv::Mat(1, 1, CV_8UC3, cv::Scalar::all(1)), {bare}, shown_classes()).size() == cv::Size(1, 1));
  CHECK(cv::norm(overlay(cv::Mat(kSide, CV_8UC3, cv::Scalar::all(7)), std::vector<Instance>(), shown_classes()),
                 cv::Mat(kSide, CV_8UC3, cv::Scalar::all(7)), cv::NORM_INF) == 0);
}

TEST_CASE("masks of another size, and classes that do not exist, are refused") {
  const cv::Mat image(10, 10, CV_8UC3, cv::Scalar::all(1));
  CHECK_THROWS_WITH_AS(overlay(image, {shown_object({0, 0, 5, 5}, 1)}, shown_classes()),
                       doctest::Contains("differ in size"), DataError);
  Instance wrong;
  wrong.category = 2;
  CHECK_THROWS_WITH_AS(overlay(image, {wrong}, shown_classes()), doctest::Contains("class number out of range"),
                       DataError);
}

TEST_CASE(
    "texts that would cover small objects or their neighbors are left out, and so is the name of the only class") {
  const cv::Mat image(kSide, CV_8UC3, cv::Scalar::all(100));
  const auto above = [&](const cv::Rect& box, Scores scores, const LabelMap& classes) {
    const cv::Mat shown = overlay(image, {shown_object(box, 0.9f)}, classes, scores);
    return cv::norm(shown.rowRange(box.y - 14, box.y - 1), image.rowRange(box.y - 14, box.y - 1), cv::NORM_INF) > 0;
  };
  const cv::Rect large(40, 50, 60, 60), small(40, 50, 16, 16), flat(40, 50, 40, 8);
  for (const auto scores : {Scores::shown, Scores::hidden}) {
    CHECK(above(large, scores, shown_classes()));
    CHECK_FALSE(above(small, scores, shown_classes()));
    CHECK_FALSE(above(flat, scores, shown_classes()));
  }
  const LabelMap only{.classes = {{.name = "cat"}}};
  CHECK(above(large, Scores::shown, only));
  CHECK_FALSE(above(large, Scores::hidden, only));
}

TEST_CASE("an overlay without scores writes the class alone") {
  const cv::Mat image(kSide, CV_8UC3, cv::Scalar::all(100));
  const auto drawn = [&](float score, Scores scores) {
    return overlay(image, {shown_object({40, 50, 60, 60}, score)}, shown_classes(), scores);
  };
  const auto largest = [](const cv::Mat& a, const cv::Mat& b) { return cv::norm(a, b, cv::NORM_INF); };
  CHECK(largest(drawn(0.9f, Scores::shown), drawn(0.5f, Scores::shown)) > 0);
  CHECK(largest(drawn(0.9f, Scores::hidden), drawn(0.5f, Scores::hidden)) == 0);
  CHECK(largest(drawn(0.9f, Scores::hidden)(cv::Rect(40, 35, 60, 14)), image(cv::Rect(40, 35, 60, 14))) > 0);
}
