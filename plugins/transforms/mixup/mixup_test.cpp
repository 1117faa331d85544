#include <cmath>
#include <set>

#include <sectile/error.h>
#include <sectile/transforms/nested.h>

#include "support/annotated.h"
#include "support/component.h"
#include "support/transforms.h"

using sectile::kIgnore;
using sectile::Sample;
using sectile::Transform;
using sectile::test::annotated;
using sectile::test::make;
using sectile::test::mixed_with;

namespace {

constexpr const char* kMixup = R"({"type": "mixup", "probability": 1})";

Sample mixup_plain(double value, int type = CV_32FC1) {
  Sample sample;
  sample.id = "plain " + std::to_string(static_cast<int>(value));
  sample.image = cv::Mat(4, 5, type);
  sample.image.setTo(value);
  return sample;
}

}  // namespace

TEST_CASE("mixup blends images, and labels as shares of classes with the same weights") {
  const auto transform = make<Transform>(kMixup, sectile::test::context(3));
  auto sample = mixup_plain(0), other = mixup_plain(1);
  sample.labels = cv::Mat(4, 5, CV_16S, cv::Scalar(0)), other.labels = cv::Mat(4, 5, CV_16S, cv::Scalar(2));
  sample.labels.at<std::int16_t>(0, 0) = kIgnore, other.labels.at<std::int16_t>(0, 1) = kIgnore;
  other.labels.at<std::int16_t>(0, 2) = 0;
  sample.targets["distance"] = cv::Mat(4, 5, CV_32F, cv::Scalar(0));
  other.targets["distance"] = cv::Mat(4, 5, CV_32F, cv::Scalar(10));
  sample.tags = {4}, other.tags = {1, 4};
  for (std::uint64_t seed = 0; seed < 20; ++seed) {
    const auto after = mixed_with(*transform, sample, other, seed);
    const float others = after.image.at<float>(3, 4);  // its weight
    CHECK(others >= 0);
    CHECK(others <= 1);
    REQUIRE(after.labels.type() == CV_32FC3);
    const auto label = [&](int column) { return after.labels.at<cv::Vec3f>(0, column); };
    CHECK(label(0) == cv::Vec3f(-1, -1, -1));  // ignored in one of the two
    CHECK(label(1) == cv::Vec3f(-1, -1, -1));
    CHECK(cv::norm(label(2) - cv::Vec3f(1, 0, 0)) < 1e-6);
    CHECK(cv::norm(label(3) - cv::Vec3f(1 - others, 0, others)) < 1e-6);
    CHECK(after.targets.at("distance").at<float>(0, 0) == doctest::Approx(10 * others));
    CHECK(after.tags == std::vector<int>{1, 4});
    CHECK(sample.image.at<float>(0, 0) == 0);  // what others may hold is not written to
  }
}

TEST_CASE("the weights of mixup are of the beta distribution") {
  for (const double alpha : {0.2, 1.0, 4.0}) {
    CAPTURE(alpha);
    const auto json = R"({"type": "mixup", "probability": 1, "alpha": )" + std::to_string(alpha) + "}";
    const auto transform = make<Transform>(json);
    double sum = 0, squares = 0;
    constexpr int kCount = 4000;
    for (std::uint64_t seed = 0; seed < kCount; ++seed) {
      const double weight = mixed_with(*transform, mixup_plain(0), mixup_plain(1), seed).image.at<float>(0, 0);
      sum += weight, squares += weight * weight;
    }
    const double mean = sum / kCount, variance = squares / kCount - mean * mean;
    CHECK(std::abs(mean - 0.5) < 0.03);
    CHECK(std::abs(variance * 4 * (2 * alpha + 1) - 1) < 0.1);
  }
}

TEST_CASE("mixup uses Beta(0.2, 0.2) for half of all samples by default") {
  const auto usual = make<Transform>(R"({"type": "mixup"})");
  int applied = 0;
  double squares = 0;
  const auto before = mixup_plain(-1);
  for (std::uint64_t seed = 0; seed < 2000; ++seed) {
    const auto after = mixed_with(*usual, before, mixup_plain(1), seed);
    if (after.image.data == before.image.data) continue;
    ++applied;
    squares += std::pow(after.image.at<float>(0, 0), 2);  // four times the variance
  }
  CHECK(std::abs(applied - 1000) < 100);
  CHECK(std::abs(squares / applied - 1 / 1.4) < 0.05);
}

TEST_CASE("mixup keeps the objects of both, whole, with ids that differ, and no segments") {
  auto sample = annotated(), other = annotated({46, 34});
  for (auto* one : {&sample, &other}) one->targets.erase("nearest");
  const auto after = mixed_with(*make<Transform>(kMixup, sectile::test::context(4)), sample, other);
  REQUIRE(after.instances.size() == 6);
  std::set<std::int64_t> ids;
  for (std::size_t i = 0; i < 6; ++i) ids.insert(after.instances[i].id);
  CHECK(ids.size() == 6);
  for (std::size_t i = 0; i < 3; ++i) {
    CHECK(after.instances[i].box == sample.instances[i].box);
    CHECK(after.instances[i].category == after.instances[i + 3].category);
  }
  CHECK(after.instances[3].mask.bitmap().size() == sample.image.size());  // resized
  CHECK(after.segment_ids.empty());                                       // of which a pixel has one only
  CHECK(after.segments.empty());
  CHECK(sample.segments.size() == 4);
}

TEST_CASE("mixup tells that it mixes samples and makes labels per class, unless it is never applied") {
  auto sample = mixup_plain(0);
  sample.labels = cv::Mat(4, 5, CV_16S, cv::Scalar(1));
  for (const char* probability : {"0", "1e-9"}) {
    CAPTURE(probability);
    const auto transform = make<Transform>(
        std::string(R"({"type": "mixup", "probability": )").append(probability).append("}"), sectile::test::context(2));
    const auto untouched = mixed_with(*transform, sample, sample);
    CHECK(untouched.image.data == sample.image.data);
    CHECK(untouched.labels.data == sample.labels.data);
    const auto effects = sectile::effects_of({transform}, "/list");
    const bool ever = probability != std::string("0");
    CHECK(effects.soft_labels == ever);
    CHECK(effects.mixing == (ever ? std::vector<std::string>{"/list/0"} : std::vector<std::string>{}));
  }
}

TEST_CASE("mixup takes all types, numbers of channels, labels per class, single pixels and volumes") {
  const auto transform = make<Transform>(R"({"type": "mixup", "probability": 1, "alpha": 1000})");
  for (const int type : {CV_8UC1, CV_16UC3, CV_16SC1, CV_32FC4, CV_8UC(7)}) {
    CAPTURE(type);
    const auto after = mixed_with(*transform, mixup_plain(100, type), mixup_plain(200, type));
    CHECK(after.image.type() == type);
    cv::Mat last;
    cv::extractChannel(after.image, last, CV_MAT_CN(type) - 1);
    double least = 0, most = 0;
    cv::minMaxLoc(last, &least, &most);
    CHECK(std::abs(least - 150) < 10);
    CHECK(most == least);
  }
  Sample pixel, other;
  pixel.image = cv::Mat(1, 1, CV_32F, cv::Scalar(0)), other.image = cv::Mat(1, 1, CV_32F, cv::Scalar(1));
  pixel.labels = cv::Mat(1, 1, CV_32FC2, cv::Scalar(1, 0)), other.labels = cv::Mat(1, 1, CV_32FC2, cv::Scalar(1, 1));
  const auto after = mixed_with(*transform, pixel, other);
  CHECK(after.labels.at<cv::Vec2f>(0, 0)[0] == doctest::Approx(1));
  CHECK(after.labels.at<cv::Vec2f>(0, 0)[1] == doctest::Approx(after.image.at<float>(0, 0)));
  const int sizes[] = {2, 3, 4};
  pixel.image = cv::Mat(3, sizes, CV_8U, cv::Scalar(100)), other.image = cv::Mat(3, sizes, CV_8U, cv::Scalar(200));
  pixel.labels = cv::Mat(3, sizes, CV_16S, cv::Scalar(0)), other.labels = cv::Mat(3, sizes, CV_16S, cv::Scalar(1));
  const auto context = sectile::test::context(2);
  const auto volume = mixed_with(*make<Transform>(kMixup, context), pixel, other);
  CHECK(volume.image.dims == 3);
  CHECK(volume.labels.type() == CV_32FC2);
  CHECK(volume.labels.at<cv::Vec2f>(1, 2, 3)[0] + volume.labels.at<cv::Vec2f>(1, 2, 3)[1] == doctest::Approx(1));
}

TEST_CASE("mixup refuses annotation that would lose its meaning") {
  auto context = sectile::test::context(4);
  const auto transform = make<Transform>(kMixup, context);
  const auto refused = [&](const Sample& sample, const Sample& other, const char* message) {
    CHECK_THROWS_WITH_AS(mixed_with(*transform, sample, other), doctest::Contains(message), sectile::DataError);
  };
  auto sample = mixup_plain(0), other = mixup_plain(1);
  sample.labels = cv::Mat(4, 5, CV_16S, cv::Scalar(1));
  refused(sample, other, "plain 0: cannot be mixed by mixup with plain 1: it has labels, and the other has none");
  refused(other, sample, "plain 0: cannot be mixed by mixup with plain 1: it has labels, and the other has none");
  other.labels = cv::Mat(4, 5, CV_16S, cv::Scalar(4));
  refused(sample, other, "plain 1: has the class number 4 in its labels; expected 0 to 3, or -1 (ignored)");
  other.labels.setTo(2);
  sample.targets["edges"] = other.targets["edges"] = sample.labels;
  refused(sample, other, "it has the target \"edges\" of class numbers, which have no mean");
  sample.targets.clear(), other.targets.clear();
  other.targets["distance"] = cv::Mat(4, 5, CV_32F, cv::Scalar(0));
  refused(sample, other, "it has the target \"distance\", and the other has not");
  context.task = sectile::Task::panoptic;
  CHECK_THROWS_WITH_AS(make<Transform>(kMixup, context), doctest::Contains("/task: is panoptic, and mixup would"),
                       sectile::SpecError);
  CHECK_THROWS_WITH_AS(make<Transform>(R"({"type": "mixup", "alpha": 0})"),
                       doctest::Contains("/part/alpha: 0 is too small"), sectile::SpecError);
  CHECK_THROWS_WITH_AS(make<Transform>(R"({"type": "mixup", "probability": -1})"),
                       doctest::Contains("/part/probability: -1 is too small"), sectile::SpecError);
}
