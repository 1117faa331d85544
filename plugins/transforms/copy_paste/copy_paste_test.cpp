#include <cmath>
#include <set>
#include <utility>

#include <sectile/error.h>
#include <nlohmann/json.hpp>
#include <opencv2/imgproc.hpp>

#include "support/annotated.h"
#include "support/component.h"
#include "support/transforms.h"

using sectile::Instance;
using sectile::Mask;
using sectile::Sample;
using sectile::Transform;
using sectile::test::annotated;
using sectile::test::make;
using sectile::test::mixed_with;

namespace {

std::shared_ptr<Transform> copy_paste(nlohmann::json options, const sectile::BuildContext& context = {}) {
  return sectile::test::always("copy_paste", std::move(options), context);
}

Instance copied_object(int category, cv::Size size, const cv::Rect& where) {
  cv::Mat bits(size, CV_8U, cv::Scalar(0));
  bits(where).setTo(1);
  Instance made;
  made.category = category;
  made.mask = Mask(bits);
  made.box = where;
  made.area = where.area();
  return made;
}

Sample plain_ground(int value, cv::Size size = {23, 17}) {
  Sample sample;
  sample.id = "ground";
  sample.image = cv::Mat(size, CV_8UC3, cv::Scalar(value, value, value));
  sample.labels = cv::Mat(size, CV_16S, cv::Scalar(0));
  return sample;
}

// Four classes: 0 is stuff.
sectile::BuildContext with_things() {
  sectile::BuildContext context;
  auto labels = std::make_shared<sectile::LabelMap>();
  for (const char* name : {"sky", "car", "dog", "cat"})
    labels->classes.push_back({.name = name, .thing = name[0] != 's'});
  context.labels = labels;
  return context;
}

}  // namespace

// What implementations got wrong: masks below keep pixels that show the pasted object, their boxes stay those of the
// whole object, and objects without a pixel stay (https://github.com/pytorch/vision/pull/5825,
// https://github.com/open-mmlab/mmdetection/pull/7501).
TEST_CASE("copy_paste cuts what is below, with boxes and areas anew, and removes what is hidden") {
  const cv::Size size(8, 8);
  Sample sample, other;
  sample.image = cv::Mat(size, CV_8U, cv::Scalar(50)), other.image = cv::Mat(size, CV_8U, cv::Scalar(200));
  sample.instances = {copied_object(5, size, {0, 0, 6, 4}), copied_object(6, size, {2, 2, 2, 2}),
                      copied_object(7, size, {0, 5, 3, 3})};
  other.instances = {copied_object(9, size, {2, 1, 6, 4})};
  const auto below = sample.instances[0].mask.bitmap().clone(), image = sample.image.clone();
  const auto after = mixed_with(*copy_paste({}), sample, other);
  REQUIRE(after.instances.size() == 3);
  const int categories[] = {5, 7, 9}, areas[] = {12, 9, 24};
  const cv::Rect2f boxes[] = {{0, 0, 6, 4}, {0, 5, 3, 3}, {2, 1, 6, 4}};
  for (std::size_t i = 0; i < 3; ++i) {
    CHECK(after.instances[i].category == categories[i]);
    CHECK(after.instances[i].box == boxes[i]);
    CHECK(after.instances[i].mask.area() == areas[i]);
  }
  CHECK_FALSE(after.instances[0].area.has_value());  // no longer that of the file
  CHECK(after.instances[1].area == 9.0);
  CHECK(after.instances[2].area == 24.0);
  cv::Mat left(size, CV_8U, cv::Scalar(0));
  left(cv::Rect(0, 0, 6, 1)).setTo(1), left(cv::Rect(0, 1, 2, 3)).setTo(1);
  CHECK(cv::norm(after.instances[0].mask.bitmap(), left, cv::NORM_INF) == 0);
  CHECK(cv::countNonZero(after.image == 200) == 24);
  CHECK(cv::countNonZero(after.image(cv::Rect(2, 1, 6, 4)) == 200) == 24);
  CHECK(cv::norm(sample.image, image, cv::NORM_INF) == 0);  // what others may hold is not written to
  CHECK(cv::norm(sample.instances[0].mask.bitmap(), below, cv::NORM_INF) == 0);
}

TEST_CASE("copy_paste keeps image, labels, targets, segments and objects consistent") {
  const auto transform = copy_paste({}, with_things());
  auto sample = annotated(), other = annotated();
  sectile::apply(sectile::Warp::flip({1, 17, 23}, 0), sample);
  other.image = other.image + cv::Scalar(1, 1, 1);
  for (std::uint64_t seed = 0; seed < 40; ++seed) {
    const auto after = mixed_with(*transform, sample, other, seed);
    std::vector<cv::Mat> channels;
    cv::split(after.image, channels);
    const cv::Mat pasted = channels[2] == 8;
    CHECK(cv::countNonZero(channels[2] == 1) == 0);  // no background
    CHECK(cv::countNonZero(pasted) > 0);
    cv::Mat labels = sample.labels.clone();
    other.labels.copyTo(labels, pasted);
    CHECK(cv::norm(after.labels, labels, cv::NORM_INF) == 0);
    CHECK(cv::norm(after.targets.at("nearest"), labels, cv::NORM_INF) == 0);
    CHECK(cv::countNonZero(after.segment_ids == 0) == 0);
    std::set<std::int64_t> ids;
    for (const auto& segment : after.segments) {
      const cv::Mat its = after.segment_ids == segment.id;
      CHECK(cv::countNonZero(its) > 0);
      CHECK(cv::countNonZero(its & (labels != segment.category)) == 0);
      ids.insert(segment.id);
    }
    CHECK(ids.size() == after.segments.size());
    for (const auto& instance : after.instances) {
      if (instance.mask.empty()) continue;
      const cv::Mat its = after.segment_ids == static_cast<double>(instance.id);
      CHECK(cv::norm(instance.mask.bitmap() * 255, its, cv::NORM_INF) == 0);
      CHECK(instance.box == instance.mask.box());
    }
    CHECK(after.geometry.to_original == sample.geometry.to_original);
  }
}

TEST_CASE("copy_paste takes things from segments, or regions of classes from labels, where there are no objects") {
  for (const bool with_segments : {true, false}) {
    CAPTURE(with_segments);
    auto other = annotated(), sample = plain_ground(9);
    other.instances.clear();
    if (!with_segments) other.segments.clear(), other.segment_ids.release();
    sample.segment_ids = cv::Mat(17, 23, CV_32S, cv::Scalar(100));
    sample.segments = {{100, 0, false}};
    int times[4] = {};
    for (std::uint64_t seed = 0; seed < 60; ++seed) {
      const auto after = mixed_with(*copy_paste({}, with_things()), sample, other, seed);
      CHECK(after.instances.empty());
      for (int category = 1; category < 4; ++category) {
        const cv::Mat its = after.labels == category;
        if (cv::countNonZero(its) == 0) continue;
        ++times[category];
        CHECK(cv::norm(its, other.labels == category, cv::NORM_INF) == 0);
      }
      cv::Mat seen;
      cv::extractChannel(after.image, seen, 0);
      CHECK(cv::norm(seen == 9, after.labels == 0, cv::NORM_INF) == 0);  // the sky is not pasted
      if (with_segments) {
        CHECK(cv::norm(after.segment_ids == 100, after.labels == 0, cv::NORM_INF) == 0);
        CHECK(cv::countNonZero(after.segment_ids == 0) == 0);
      } else {
        CHECK(cv::norm(after.segment_ids == 0, after.labels != 0, cv::NORM_INF) == 0);
      }
    }
    for (int category = 1; category < 4; ++category) {  // in 2 of 3 cases
      CHECK(times[category] > 25);
      CHECK(times[category] < 55);
    }
  }
}

TEST_CASE("copy_paste takes regions of labels per class, and all classes where none is a thing") {
  auto other = plain_ground(200, {4, 4}), sample = plain_ground(9, {4, 4});
  other.labels = cv::Mat(4, 4, CV_32FC2, cv::Scalar(0, 0)), sample.labels = cv::Mat(4, 4, CV_32FC2, cv::Scalar(0, 0));
  other.labels(cv::Rect(1, 1, 2, 2)).setTo(cv::Scalar(0, 1));
  const auto after = mixed_with(*copy_paste({}, sectile::test::context(2, 3, true)), sample, other);
  cv::Mat second, seen;
  cv::extractChannel(after.labels, second, 1), cv::extractChannel(after.image, seen, 0);
  CHECK(cv::countNonZero(second == 1) == 4);
  CHECK(cv::norm(seen == 200, second == 1, cv::NORM_INF) == 0);
  // The first of two classes covers all: it is seen as often as it is chosen.
  auto all = plain_ground(200);
  all.labels(cv::Rect(0, 0, 2, 2)).setTo(1);
  int covered = 0;
  const auto transform = copy_paste({}, sectile::test::context(2));
  for (std::uint64_t seed = 0; seed < 200; ++seed)
    covered += mixed_with(*transform, plain_ground(9), all, seed).image.at<cv::Vec3b>(16, 22)[0] == 200;
  CHECK(std::abs(covered - 150) < 35);  // one of one or two, or both: 3 of 4 cases
}

TEST_CASE("copy_paste pastes up to so many objects, and classes that it is told to") {
  Sample other;
  other.image = cv::Mat(1, 10, CV_8U, cv::Scalar(200));
  for (int i = 0; i < 10; ++i) other.instances.push_back(copied_object(i % 4, {10, 1}, {i, 0, 1, 1}));
  Sample sample;
  sample.image = cv::Mat(1, 10, CV_8U, cv::Scalar(9));
  const auto counts = [&](const nlohmann::json& changes) {
    const auto transform = copy_paste(changes, with_things());
    std::vector<int> times(11, 0);
    for (std::uint64_t seed = 0; seed < 1000; ++seed) {
      const auto after = mixed_with(*transform, sample, other, seed);
      CHECK(cv::countNonZero(after.image == 200) == static_cast<int>(after.instances.size()));
      ++times[after.instances.size()];
    }
    return times;
  };
  const auto free = counts({});
  CHECK(free[0] == 0);
  for (std::size_t i = 1; i <= 10; ++i) CHECK(std::abs(free[i] - 100) < 45);
  const auto few = counts({{"max_num_pasted", 2}});
  CHECK(few[1] + few[2] == 1000);
  CHECK(std::abs(few[1] - 500) < 70);
  const auto dogs_and_skies = counts({{"classes", {"dog", "sky"}}});  // 5 of 10, also what is no thing
  CHECK(dogs_and_skies[5] > 130);
  CHECK(dogs_and_skies[6] == 0);
  const auto dogs = mixed_with(*copy_paste({{"classes", {"dog"}}}, with_things()), sample, other);
  for (const auto& instance : dogs.instances) CHECK(instance.category == 2);
}

TEST_CASE("copy_paste leaves a sample as it is where there is nothing to paste") {
  const auto sample = plain_ground(9);
  auto other = plain_ground(200);  // sky alone
  const auto same = mixed_with(*copy_paste({}, with_things()), sample, other);
  CHECK(same.image.data == sample.image.data);
  other.instances = {copied_object(1, {23, 17}, {0, 0, 5, 5}), copied_object(1, {23, 17}, {6, 6, 5, 5})};
  other.instances[0].crowd = true;
  other.instances[1].mask = Mask();  // a box alone
  CHECK(mixed_with(*copy_paste({}, with_things()), sample, other).image.data == sample.image.data);
  CHECK(mixed_with(*copy_paste({{"probability", 0}}), sample, annotated()).image.data == sample.image.data);
}

TEST_CASE("objects of a sample without labels are labeled by their classes") {
  auto sample = plain_ground(9), other = plain_ground(200);
  other.labels.release();
  other.instances = {copied_object(2, {23, 17}, {3, 4, 5, 6})};
  const auto after = mixed_with(*copy_paste({}, with_things()), sample, other);
  CHECK(cv::countNonZero(after.labels == 2) == 30);
  CHECK(cv::countNonZero(after.labels == 0) == 23 * 17 - 30);
}

TEST_CASE("blending softens the edges in the image alone, by a Gaussian of 5 pixels") {
  // Of the standard deviation 2: the weights are 0.2514 in the middle, then 0.2218 and 0.1525.
  const cv::Size size(20, 9);
  for (const int type : {CV_8UC3, CV_16UC1, CV_16SC1, CV_32FC4, CV_8UC(7)}) {
    CAPTURE(type);
    Sample sample, other;
    sample.image = cv::Mat(size, type), other.image = cv::Mat(size, type);
    sample.image.setTo(0), other.image.setTo(200);
    other.instances = {copied_object(1, size, {10, 0, 10, 9})};
    const auto soft = mixed_with(*copy_paste({{"blending", true}}), sample, other);
    const auto sharp = mixed_with(*copy_paste({}), sample, other);
    cv::Mat last;
    cv::extractChannel(soft.image, last, CV_MAT_CN(type) - 1);
    last.convertTo(last, CV_32F);
    const double expected[] = {0, 30.5, 74.9, 125.1, 169.5, 200};
    for (int i = 0; i < 6; ++i) CHECK(std::abs(last.at<float>(4, 7 + i) - expected[i]) < 0.7);
    CHECK(soft.instances[0].box == sharp.instances[0].box);
    cv::extractChannel(sharp.image, last, 0);
    CHECK(cv::countNonZero(last == 200) == 90);
    CHECK(cv::countNonZero(last == 0) == 90);
    CHECK(soft.image.type() == type);
  }
}

TEST_CASE("copy_paste works on volumes and single pixels, and resizes the other sample") {
  const int sizes[] = {2, 3, 4};
  Sample volume, other;
  volume.image = cv::Mat(3, sizes, CV_8U, cv::Scalar(9)), other.image = cv::Mat(3, sizes, CV_8U, cv::Scalar(200));
  Instance object;
  cv::Mat bits(3, sizes, CV_8U, cv::Scalar(0));
  bits.at<std::uint8_t>(1, 2, 3) = 1;
  object.mask = Mask(bits), object.box = object.mask.box();
  other.instances = {object};
  for (const bool blending : {false, true}) {
    const auto after = mixed_with(*copy_paste({{"blending", blending}}), volume, other);
    CHECK(after.image.dims == 3);
    CHECK(after.image.at<std::uint8_t>(1, 2, 3) > 9);
    CHECK(after.image.at<std::uint8_t>(0, 2, 3) == 9);  // slices are not mixed
    CHECK(after.instances.size() == 1);
  }
  Sample pixel, one;
  pixel.image = cv::Mat(1, 1, CV_8U, cv::Scalar(9)), one.image = cv::Mat(1, 1, CV_8U, cv::Scalar(200));
  one.instances = {copied_object(1, {1, 1}, {0, 0, 1, 1})};
  CHECK(mixed_with(*copy_paste({{"blending", true}}), pixel, one).image.at<std::uint8_t>(0, 0) == 200);
  auto large = annotated({46, 34});
  const auto after = mixed_with(*copy_paste({}, with_things()), annotated(), large);
  CHECK(after.image.size() == cv::Size(23, 17));
  CHECK(after.instances.back().mask.bitmap().size() == cv::Size(23, 17));
}

TEST_CASE("copy_paste is applied to half of all samples by default, and says what is wrong with its options") {
  const auto usual = make<Transform>(R"({"type": "copy_paste"})");
  const auto before = annotated();
  int pasted = 0;
  for (std::uint64_t seed = 0; seed < 600; ++seed)
    pasted += mixed_with(*usual, before, before, seed).image.data != before.image.data;
  CHECK(std::abs(pasted - 300) < 60);
  const auto refused = [](const nlohmann::json& changes, const char* message) {
    CHECK_THROWS_WITH_AS(copy_paste(changes, with_things()), doctest::Contains(message), sectile::SpecError);
  };
  refused({{"max_num_pasted", 0}}, "/part/max_num_pasted: 0 is too small");
  refused({{"classes", {"dgo"}}}, "/part/classes/0: ");
  refused({{"classes", {"dog", "dog"}}}, "/part/classes/1: names the class \"dog\" again");
  refused({{"probability", 2}}, "/part/probability: 2 is too large");
}

TEST_CASE("copy_paste leaves crowds among segments where they are") {
  auto other = annotated(), sample = plain_ground(9);
  other.instances.clear();
  other.segments[1].crowd = true;
  for (std::uint64_t seed = 0; seed < 40; ++seed) {
    const auto after = mixed_with(*copy_paste({}, with_things()), sample, other, seed);
    CHECK(cv::countNonZero(after.labels == other.segments[1].category) == 0);
    CHECK(cv::countNonZero(after.labels > 0) > 0);
  }
}

TEST_CASE("copy_paste takes no regions from labels where there are objects, even if none has a mask") {
  auto other = annotated();
  for (auto& instance : other.instances) instance.mask = Mask();
  const auto sample = plain_ground(9);
  CHECK(mixed_with(*copy_paste({}, with_things()), sample, other).image.data == sample.image.data);
}
