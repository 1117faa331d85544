#include <set>

#include <sectile/dataset.h>
#include <sectile/error.h>
#include <opencv2/core.hpp>

#include "support/component.h"
#include "support/test.h"

using sectile::Dataset;
using sectile::Sample;
using sectile::test::make;

namespace {

constexpr int kClasses = 5;

bool equal(const Sample& a, const Sample& b) {
  return cv::norm(a.image, b.image, cv::NORM_INF) == 0 && cv::norm(a.labels, b.labels, cv::NORM_INF) == 0;
}

using Means = std::vector<cv::Vec3d>;
Means mean_colors(const Dataset& dataset) {
  Means sums(kClasses);
  std::vector<double> counts(kClasses);
  for (std::size_t i = 0; i < dataset.size(); ++i) {
    const Sample sample = dataset.read(i);
    for (int y = 0; y < sample.image.rows; ++y)
      for (int x = 0; x < sample.image.cols; ++x) {
        const auto label = static_cast<std::size_t>(sample.labels.at<std::int16_t>(y, x));
        sums[label] += sample.image.at<cv::Vec3b>(y, x);
        ++counts[label];
      }
  }
  for (std::size_t i = 0; i < kClasses; ++i) sums[i] /= counts[i];
  return sums;
}

// mIoU of giving each pixel the class whose mean color is nearest.
double score_by_color(const Means& means, const Dataset& dataset) {
  cv::Mat confusion(kClasses, kClasses, CV_64F, cv::Scalar(0));
  for (std::size_t i = 0; i < dataset.size(); ++i) {
    const Sample sample = dataset.read(i);
    for (int y = 0; y < sample.image.rows; ++y)
      for (int x = 0; x < sample.image.cols; ++x) {
        const cv::Vec3d color = sample.image.at<cv::Vec3b>(y, x);
        const auto nearer = [&](const cv::Vec3d& a, const cv::Vec3d& b) {
          return cv::norm(a - color) < cv::norm(b - color);
        };
        const auto best = std::min_element(means.begin(), means.end(), nearer) - means.begin();
        ++confusion.at<double>(sample.labels.at<std::int16_t>(y, x), static_cast<int>(best));
      }
  }
  double sum = 0;
  for (int i = 0; i < kClasses; ++i)
    sum += confusion.at<double>(i, i) /
           (cv::sum(confusion.row(i))[0] + cv::sum(confusion.col(i))[0] - confusion.at<double>(i, i));
  return sum / kClasses;
}

}  // namespace

TEST_CASE("the same seed and number give the same image, another seed another") {
  const auto first = make<Dataset>(R"({"type": "synthetic", "seed": 3})");
  const auto again = make<Dataset>(R"({"type": "synthetic", "seed": 3, "count": 5, "offset": 10})");
  const auto other = make<Dataset>(R"({"type": "synthetic", "seed": 4})");
  CHECK(first->size() == 200);
  again->read(0);
  CHECK(equal(first->read(12), again->read(2)));
  CHECK(first->read(12).id == again->read(2).id);
  CHECK_FALSE(equal(first->read(12), first->read(13)));
  CHECK_FALSE(equal(first->read(12), other->read(12)));
}

TEST_CASE("labels, instances and segments of an image say the same") {
  const auto dataset = make<Dataset>(R"({"type": "synthetic", "size": [100, 140], "shapes": [0, 6]})");
  std::set<int> seen;
  for (std::size_t i = 0; i < 60; ++i) {
    const Sample sample = dataset->read(i);
    REQUIRE(sample.image.size() == cv::Size(140, 100));
    CHECK(sample.image.type() == CV_8UC3);
    cv::Mat labels(sample.labels.size(), CV_16S, cv::Scalar(sectile::kIgnore));
    for (const auto& segment : sample.segments) labels.setTo(segment.category, sample.segment_ids == segment.id);
    CHECK(cv::norm(labels, sample.labels, cv::NORM_INF) == 0);
    CHECK(sample.instances.size() + 1 == sample.segments.size());
    CHECK(sample.instances.size() <= 6);
    for (const auto& instance : sample.instances) {
      CHECK(cv::norm(instance.mask.bitmap() * 255, sample.segment_ids == static_cast<int>(instance.id), cv::NORM_INF) ==
            0);
      CHECK(instance.box == instance.mask.box());
      CHECK(dataset->labels().classes[static_cast<std::size_t>(instance.category)].thing);
    }
    const auto classes = dataset->classes_of(i);
    CHECK(classes == dataset->Dataset::classes_of(i));
    seen.insert(classes.begin(), classes.end());
  }
  CHECK(seen == std::set<int>{0, 1, 2, 3, 4});
}

TEST_CASE("no shape is covered by more than its share, and the kinds are about as large and as frequent") {
  const auto dataset = make<Dataset>(R"({"type": "synthetic", "count": 150})");
  std::vector<double> pixels(kClasses);
  for (std::size_t i = 0; i < dataset->size(); ++i)
    for (const auto& instance : dataset->read(i).instances) {
      pixels[static_cast<std::size_t>(instance.category)] += static_cast<double>(instance.mask.area());
      CHECK(instance.mask.area() > 0.6 * 0.7 * 3.14 * 12.8 * 12.8);  // the smallest; some reach out of the image
    }
  const auto [least, most] = std::minmax_element(pixels.begin() + 1, pixels.end());
  CHECK(*most < 1.6 * *least);
}

TEST_CASE("color alone does not tell the classes: the nearest mean color scores an mIoU of at most 0.50") {
  const auto training = make<Dataset>(R"({"type": "synthetic", "count": 80, "seed": 1})");
  const auto held_out = make<Dataset>(R"({"type": "synthetic", "count": 40, "seed": 2})");
  const double score = score_by_color(mean_colors(*training), *held_out);
  MESSAGE("mIoU by color: " << score);
  CHECK(score <= 0.50);
  CHECK(score_by_color(mean_colors(*held_out), *held_out) <= 0.50);  // not even with the truth's own means
}

TEST_CASE("limits upside down are problems of the spec") {
  CHECK_THROWS_WITH_AS(make<Dataset>(R"({"type": "synthetic", "shapes": [4, 2], "radius": [0.3, 0.1]})"),
                       doctest::Contains("/part/radius"), sectile::SpecError);
}
