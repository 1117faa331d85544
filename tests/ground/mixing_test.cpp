#include <sectile/transforms/mixing.h>

#include <algorithm>
#include <cmath>
#include <set>

#include <opencv2/core.hpp>

#include <sectile/error.h>

#include "support/annotated.h"

using namespace sectile;
using test::annotated;

namespace {

Instance boxed(std::int64_t id, const cv::Rect2f& box) {
  Instance instance;
  instance.id = id;
  instance.box = box;
  instance.area = box.area();
  return instance;
}

cv::Mat rectangle(cv::Size size, const cv::Rect& where) {
  cv::Mat made(size, CV_8U, cv::Scalar(0));
  made(where).setTo(255);
  return made;
}

}  // namespace

TEST_CASE("beta-distributed numbers have the mean and variance of their distribution") {
  struct Parameters {
    double a, b;
  };
  for (const auto& [a, b] : {Parameters{0.01, 0.01}, {0.2, 0.2}, {1, 1}, {2.5, 2.5}, {50, 50}, {2, 5}, {0.5, 3}}) {
    CAPTURE(a);
    CAPTURE(b);
    Random random{11};
    constexpr int kCount = 40000;
    double sum = 0, squares = 0;
    int outside = 0;
    for (int i = 0; i < kCount; ++i) {
      const double x = beta_distributed(random, a, b);
      outside += !(x >= 0 && x <= 1);
      sum += x, squares += x * x;
    }
    CHECK(outside == 0);
    const double mean = sum / kCount, variance = squares / kCount - mean * mean;
    const double expected = a * b / ((a + b) * (a + b) * (a + b + 1));
    CHECK(std::abs(mean - a / (a + b)) < 4.5 * std::sqrt(expected / kCount));
    CHECK(std::abs(variance - expected) < 0.05 * expected);
  }
}

TEST_CASE("beta-distributed numbers of Beta(1, 1) are uniform") {
  Random random{5};
  int tenths[10] = {};
  for (int i = 0; i < 20000; ++i) ++tenths[std::min(9, static_cast<int>(beta_distributed(random, 1, 1) * 10))];
  for (const int times : tenths) CHECK(std::abs(times - 2000) < 200);
}

TEST_CASE("ids that another sample has too become new ones, and an object keeps its segment's") {
  Sample sample = annotated(), other = annotated();  // both with the ids 100 to 103
  make_ids_unique(sample, other);
  std::set<std::int64_t> ids;
  for (const auto* one : {&sample, &other})
    for (const auto& segment : one->segments) ids.insert(segment.id);
  CHECK(ids.size() == 8);
  for (std::size_t i = 0; i < 3; ++i) CHECK(other.instances[i].id == other.segments[i + 1].id);
  for (std::size_t i = 0; i < 4; ++i)
    CHECK(cv::norm(other.segment_ids == other.segments[i].id, sample.segment_ids == sample.segments[i].id,
                   cv::NORM_INF) == 0);

  Sample free;
  free.instances = {boxed(0, {}), boxed(7, {}), boxed(1, {})};
  Sample taken;
  taken.instances = {boxed(0, {}), boxed(7, {})};
  make_ids_unique(taken, free);
  CHECK(free.instances[0].id == 0);  // it is no id
  CHECK(free.instances[1].id == 1);
  CHECK(free.instances[2].id == 2);  // as 1 is taken by now
}

TEST_CASE("what is hidden leaves boxes and masks, and objects of which nothing is left go") {
  const cv::Mat hidden = rectangle({10, 10}, {4, 0, 6, 10});  // the right part
  std::vector<Instance> objects{boxed(1, {0, 0, 4, 4}), boxed(2, {2, 2, 6, 6}), boxed(3, {5, 1, 2, 2}),
                                boxed(4, {2.5f, 2.5f, 3, 1})};
  objects[1].mask = Mask(Mask(cv::Mat(rectangle({10, 10}, {2, 2, 6, 6}) / 255)).rle());
  hide(hidden, objects);
  REQUIRE(objects.size() == 3);
  CHECK(objects[0].box == cv::Rect2f(0, 0, 4, 4));
  CHECK(objects[0].area == 16.0);  // it lost nothing
  CHECK(objects[1].box == cv::Rect2f(2, 2, 2, 6));
  CHECK(objects[1].mask.area() == 12);
  CHECK_FALSE(objects[1].area.has_value());
  CHECK(objects[2].id == 4);
  CHECK(objects[2].box == cv::Rect2f(2.5f, 2.5f, 1.5f, 1));
}

TEST_CASE("a sample shows another one where it is told to, with what both know") {
  Sample sample = annotated(), other = annotated();
  other.image = other.image + cv::Scalar(1, 1, 1);
  make_ids_unique(sample, other);
  const auto before = sample;
  const cv::Mat where = rectangle(sample.image.size(), {0, 0, 12, 17});
  other.targets.erase("nearest");
  other.targets["new"] = cv::Mat(sample.image.size(), CV_32FC2, cv::Scalar(3, 4));
  other.labels.release();
  sample.tags = {5, 1}, other.tags = {2, 1};
  const cv::Mat image = sample.image.clone();
  show(other, where, sample);
  CHECK(cv::norm(before.image, image, cv::NORM_INF) == 0);  // what others may hold is not written to
  CHECK(sample.image.at<cv::Vec3b>(2, 3) == other.image.at<cv::Vec3b>(2, 3));
  CHECK(sample.image.at<cv::Vec3b>(4, 15) == before.image.at<cv::Vec3b>(4, 15));
  CHECK(cv::countNonZero(sample.labels == kIgnore) == 12 * 17);
  CHECK(sample.segment_ids.at<std::int32_t>(2, 3) == other.segment_ids.at<std::int32_t>(2, 3));
  CHECK(sample.targets.at("nearest").at<std::int16_t>(0, 0) == kIgnore);
  CHECK(sample.targets.at("nearest").at<std::int16_t>(4, 15) == 2);
  CHECK(sample.targets.at("new").at<cv::Vec2f>(0, 0) == cv::Vec2f(3, 4));
  CHECK(sample.targets.at("new").at<cv::Vec2f>(0, 20) == cv::Vec2f(0, 0));
  CHECK(sample.tags == std::vector<int>{1, 2, 5});
  // Regions 1 of both, and no other, are on one side alone.
  std::vector<int> categories;
  for (const auto& segment : sample.segments) categories.push_back(segment.category);
  CHECK(categories == std::vector<int>{0, 2, 3, 0, 1, 2, 3});
  REQUIRE(sample.instances.size() == 2);
  CHECK(sample.instances[0].box == cv::Rect2f(12, 3, 7, 4));
  CHECK(sample.instances[1].box == cv::Rect2f(12, 9, 4, 6));
}

TEST_CASE("another sample is resized to fit, and refused where it cannot") {
  const auto sample = annotated();
  const auto drawn = [&](Sample other) {
    other.id = "other";
    Draw draw(Random{1}, [other](Random&) { return other; });
    return mixing_partner(sample, draw, "mixing");
  };
  const auto larger = drawn(annotated({46, 34}));
  CHECK(larger.image.size() == sample.image.size());
  CHECK(larger.labels.size() == sample.image.size());
  CHECK(larger.instances[0].mask.bitmap().size() == sample.image.size());
  CHECK(larger.instances[0].id != sample.instances[0].id);

  auto other = annotated();
  other.image = cv::Mat(17, 23, CV_8U, cv::Scalar(0));
  CHECK_THROWS_WITH_AS(drawn(other),
                       doctest::Contains("annotated: mixing mixes it with other, which has an image of CV_8UC1 in 2 "
                                         "dimensions; expected CV_8UC3 in 2 dimensions"),
                       DataError);
  other = annotated();
  other.labels = cv::Mat(17, 23, CV_16SC3, cv::Scalar(0, 0, 0));
  CHECK_THROWS_WITH_AS(drawn(other), doctest::Contains("which has labels of CV_16SC3"), DataError);
  other = annotated();
  other.targets["linear"] = other.labels;
  CHECK_THROWS_WITH_AS(drawn(other), doctest::Contains("which has a target \"linear\" of CV_16SC1"), DataError);
  other = annotated();
  other.mean = {1, 2, 3};
  CHECK_THROWS_WITH_AS(drawn(other), doctest::Contains("put \"normalize\" behind mixing"), DataError);
}

TEST_CASE("class numbers and labels per class are mixed as labels per class") {
  const auto sample = annotated();
  auto soft = annotated();
  soft.labels = cv::Mat(soft.labels.size(), CV_32FC4, cv::Scalar(0.5, 0.5, 0, 0));
  auto with_ignored = sample;
  with_ignored.labels = sample.labels.clone();
  with_ignored.labels.at<std::int16_t>(0, 20) = kIgnore;
  const cv::Mat where = rectangle(sample.image.size(), {0, 0, 12, 17});
  const auto shown_over = [&](const Sample& other, Sample below) {
    Draw draw(Random{1}, [&](Random&) { return other; });
    const auto partner = mixing_partner(below, draw, "mixing");
    show(partner, where, below);
    return below;
  };
  auto mixed = shown_over(soft, with_ignored);
  REQUIRE(mixed.labels.type() == CV_32FC4);
  CHECK(mixed.labels.at<cv::Vec4f>(2, 3) == cv::Vec4f(0.5, 0.5, 0, 0));
  CHECK(mixed.labels.at<cv::Vec4f>(4, 15) == cv::Vec4f(0, 0, 1, 0));  // class 2
  CHECK(mixed.labels.at<cv::Vec4f>(0, 20) == cv::Vec4f(-1, -1, -1, -1));
  CHECK(with_ignored.labels.type() == CV_16SC1);
  mixed = shown_over(sample, soft);
  CHECK(mixed.labels.at<cv::Vec4f>(2, 3) == cv::Vec4f(0, 1, 0, 0));
  CHECK(mixed.labels.at<cv::Vec4f>(4, 15) == cv::Vec4f(0.5, 0.5, 0, 0));

  auto other = annotated();
  other.labels.setTo(4);
  CHECK_THROWS_WITH_AS(shown_over(other, soft),
                       doctest::Contains("has the class number 4 in its labels; expected 0 to 3, or -1 (ignored)"),
                       DataError);
  cv::Mat empty, numbers = sample.labels, more = sample.labels;
  give_one_form({&empty, &numbers, &more}, "numbers");
  CHECK(numbers.data == sample.labels.data);
  give_one_form({&empty, &numbers, &soft.labels, &more}, "some");
  CHECK(empty.empty());
  CHECK(numbers.type() == CV_32FC4);
  CHECK(more.type() == CV_32FC4);
}

TEST_CASE("volumes show another one in a box, and lose objects there") {
  const int sizes[] = {3, 4, 5};
  Sample sample, other;
  sample.image = cv::Mat(3, sizes, CV_16UC2, cv::Scalar(1, 2));
  other.image = cv::Mat(3, sizes, CV_16UC2, cv::Scalar(7, 8));
  sample.labels = cv::Mat(3, sizes, CV_32FC(6)), other.labels = cv::Mat(3, sizes, CV_32FC(6));
  sample.labels.setTo(0.25), other.labels.setTo(0.5);
  cv::Mat bits(3, sizes, CV_8U, cv::Scalar(1)), where(3, sizes, CV_8U, cv::Scalar(0));
  sample.instances = {boxed(1, {0, 0, 5, 4})};
  sample.instances[0].mask = Mask(bits);
  const cv::Range half[] = {cv::Range::all(), cv::Range::all(), cv::Range(0, 2)};
  cv::Mat part = where(half);
  part.setTo(1);
  show(other, where, sample);
  CHECK(sample.image.at<cv::Vec2w>(2, 3, 1) == cv::Vec2w(7, 8));
  CHECK(sample.image.at<cv::Vec2w>(2, 3, 2) == cv::Vec2w(1, 2));
  CHECK(sample.labels.ptr<float>(1, 1, 0)[5] == 0.5f);
  CHECK(sample.labels.ptr<float>(1, 1, 4)[5] == 0.25f);
  REQUIRE(sample.instances.size() == 1);
  CHECK(sample.instances[0].box == cv::Rect2f(2, 0, 3, 4));
  CHECK(sample.instances[0].mask.area() == 36);
}
