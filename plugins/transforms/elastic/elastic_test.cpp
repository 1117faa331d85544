#include <array>
#include <cmath>
#include <utility>

#include <sectile/error.h>

#include "support/annotated.h"
#include "support/component.h"
#include "support/patterned.h"
#include "support/transforms.h"

using sectile::Sample;
using sectile::Transform;
using sectile::test::annotated;
using sectile::test::applied;

namespace {

std::shared_ptr<Transform> elastic_with(nlohmann::json options, const sectile::BuildContext& context = {}) {
  return sectile::test::always("elastic", std::move(options), context);
}

Sample blank_image(int height, int width) { return sectile::test::sheet_of(CV_8U, {width, height}, 0); }

cv::Mat displacement_along(int axis, const Transform& elastic, const Sample& sample, std::uint64_t seed = 1) {
  cv::Mat field;
  cv::extractChannel(sectile::test::drawn_warp(elastic, sample, seed).displacement, field, axis);
  return field;
}

double relative_difference(const cv::Mat& a, const cv::Mat& b) { return cv::norm(a, b) / cv::norm(b); }

}  // namespace

// 300 fields there, 200 here: deviations within 6 %, correlations within 0.05.
TEST_CASE("elastic displaces pixels with the distribution of albumentations 2.0.8") {
  const auto expected = sectile::test::expected_of_transform("elastic");
  REQUIRE(expected.size() == 4);
  const Sample sample = blank_image(60, 80);
  for (const auto& one : expected) {
    CAPTURE(one.dump());
    nlohmann::json options = one;
    options.erase("deviation"), options.erase("correlation");
    const auto elastic = elastic_with(options);
    for (const int axis : {0, 1}) {
      double squares = 0, squares_beside = 0, products = 0, count = 0;
      for (std::uint64_t seed = 0; seed < 200; ++seed) {
        const cv::Mat field = displacement_along(axis, *elastic, sample, seed);
        for (int y = 10; y < 30; ++y)
          for (int x = 20; x < 50; ++x) {
            const double here = field.at<float>(y, x), beside = field.at<float>(y, x + 5);
            squares += here * here, squares_beside += beside * beside, products += here * beside, ++count;
          }
      }
      const double deviation = std::sqrt(squares / count);
      CHECK(std::abs(deviation / one["deviation"].get<double>() - 1) < 0.06);
      CHECK(std::abs(products / std::sqrt(squares * squares_beside) - one["correlation"].get<double>()) < 0.05);
    }
  }
}

// From a standard deviation of 6 pixels on, every second pixel is smoothed, from 9 on every third, and so on; the
// others are interpolated.
TEST_CASE("elastic smooths and interpolates to what it gets by smoothing every pixel") {
  for (const cv::Size size : {cv::Size(80, 60), cv::Size(7, 200), cv::Size(50, 3)}) {
    CAPTURE(size.width);
    const Sample image = blank_image(size.height, size.width);
    for (const auto& [more, less] : {std::pair(6., 5.9999), {9., 8.9999}, {30., 29.9999}})
      for (const int axis : {0, 1})
        CHECK(relative_difference(displacement_along(axis, *elastic_with({{"sigma", more}}), image),
                                  displacement_along(axis, *elastic_with({{"sigma", less}}), image)) < 0.005);
  }
  Sample volume;
  const int sizes[] = {9, 12, 15};
  volume.image = cv::Mat(3, sizes, CV_8U, cv::Scalar(0));
  for (const int axis : {0, 1, 2})
    CHECK(relative_difference(displacement_along(axis, *elastic_with({{"sigma", 6}}), volume),
                              displacement_along(axis, *elastic_with({{"sigma", 5.9999}}), volume)) < 0.005);
}

TEST_CASE("elastic displaces along each axis on its own, or along all alike") {
  Sample volume;
  const int sizes[] = {9, 12, 15};
  volume.image = cv::Mat(3, sizes, CV_8U, cv::Scalar(0));
  const auto elastic = elastic_with({{"sigma", 2}, {"alpha", 10}});
  const auto same = elastic_with({{"sigma", 2}, {"alpha", 10}, {"same_dxdy", true}});
  for (const int axis : {1, 2}) {
    CHECK(relative_difference(displacement_along(axis, *elastic, volume), displacement_along(0, *elastic, volume)) >
          0.5);
    CHECK(relative_difference(displacement_along(axis, *same, volume), displacement_along(0, *same, volume)) == 0);
  }
  const Sample image = blank_image(20, 30);
  CHECK(cv::norm(displacement_along(2, *elastic, image)) == 0);
  CHECK(cv::norm(displacement_along(0, *same, image), displacement_along(1, *same, image)) == 0);
  volume.image = cv::Mat(3, std::array<int, 3>{1, 12, 15}.data(), CV_8U, cv::Scalar(0));
  CHECK(cv::norm(displacement_along(2, *elastic, volume)) == 0);  // nothing would be left of its only slice
}

TEST_CASE("elastic multiplies displacements by alpha, and draws others for each sample") {
  const Sample image = blank_image(20, 30);
  const auto once = elastic_with({{"sigma", 3}}), tenfold = elastic_with({{"sigma", 3}, {"alpha", 10}});
  CHECK(relative_difference(displacement_along(0, *once, image) * 10, displacement_along(0, *tenfold, image)) < 1e-6);
  CHECK(relative_difference(displacement_along(0, *once, image, 2), displacement_along(0, *once, image, 3)) > 0.5);
  const auto uniform = elastic_with({{"sigma", 3}, {"noise_distribution", "uniform"}});
  CHECK(relative_difference(displacement_along(0, *uniform, image), displacement_along(0, *once, image)) > 0.2);
  const auto none = applied(*elastic_with({{"alpha", 0}}), sectile::test::patterned({30, 20}));
  CHECK(cv::norm(none.image, sectile::test::patterned({30, 20}).image, cv::NORM_INF) == 0);
}

TEST_CASE("elastic moves labels and masks with the image, without new labels") {
  const auto before = annotated();
  const auto elastic = elastic_with({{"alpha", 60}, {"sigma", 3}, {"interpolation", "nearest"}, {"fill", 60}});
  for (std::uint64_t seed = 0; seed < 20; ++seed) {
    const auto after = applied(*elastic, before, seed);
    CHECK_FALSE(after.geometry.invertible);
    CHECK(cv::norm(after.image, before.image, cv::NORM_INF) > 0);
    int wrong = 0;
    for (int y = 0; y < after.image.rows; ++y)
      for (int x = 0; x < after.image.cols; ++x) {
        const int label = after.labels.at<std::int16_t>(y, x);
        wrong += after.image.at<cv::Vec3b>(y, x)[0] != (label == sectile::kIgnore ? 60 : 60 * label);
        wrong += after.targets.at("nearest").at<std::int16_t>(y, x) != label;
      }
    CHECK(wrong == 0);
    for (const auto& instance : after.instances) {
      if (instance.mask.empty()) continue;
      const cv::Mat bits = after.labels == instance.category;
      CHECK(cv::norm(instance.mask.bitmap() * 255, bits, cv::NORM_INF) == 0);
      CHECK(instance.box == sectile::Mask(cv::Mat(bits / 255)).box());
    }
  }
}

TEST_CASE("elastic takes images of any type, and fills what is outside as it is told") {
  sectile::test::check_takes_any_image(*elastic_with({{"alpha", 3}, {"sigma", 2}}));
  sectile::test::check_takes_any_image(*elastic_with({{"alpha", 3}, {"approximate", true}}));
  sectile::test::check_takes_any_image(*elastic_with(nlohmann::json::object()));
  const auto context = sectile::test::context(4);
  const auto elastic = elastic_with(
      {{"alpha", 300}, {"sigma", 2}, {"interpolation", "nearest"}, {"fill", {1, 2, 3}}, {"label_fill", "2"}}, context);
  const auto after = applied(*elastic, annotated());
  CHECK(cv::countNonZero(after.labels == sectile::kIgnore) == 0);
  int filled = 0;
  for (int i = 0; i < static_cast<int>(after.image.total()); ++i)
    if (after.image.at<cv::Vec3b>(i / 23, i % 23) == cv::Vec3b(1, 2, 3)) {
      ++filled;
      CHECK(after.labels.at<std::int16_t>(i / 23, i % 23) == 2);
    }
  CHECK(filled > 0);
}

TEST_CASE("elastic with a probability of 0 changes nothing, and says what is wrong with its options") {
  const auto before = annotated();
  CHECK(applied(*elastic_with({{"probability", 0}, {"alpha", 99}}), before).image.data == before.image.data);
  const auto refused = [](const nlohmann::json& options, const char* message) {
    CHECK_THROWS_WITH_AS(elastic_with(options), doctest::Contains(message), sectile::SpecError);
  };
  refused({{"alpha", -1}}, "/part/alpha: -1 is too small");
  refused({{"sigma", 0.5}}, "/part/sigma: 0.5 is too small");
  refused({{"noise_distribution", "normal"}}, "/part/noise_distribution: unknown value \"normal\"");
}

TEST_CASE("elastic divides noise by its greatest absolute value in both fields, or in the only one") {
  const Sample pixel = blank_image(1, 1);  // is not smoothed
  const auto shifts = [&](const nlohmann::json& options, std::uint64_t seed) {
    const auto shift = sectile::test::drawn_warp(*elastic_with(options), pixel, seed).displacement.at<cv::Vec3f>(0, 0);
    return std::array<double, 2>{std::abs(shift[0]), std::abs(shift[1])};
  };
  int less = 0, of_uniform = 0;
  for (std::uint64_t seed = 0; seed < 20; ++seed) {
    const auto both = shifts({{"alpha", 8}}, seed), same = shifts({{"alpha", 8}, {"same_dxdy", true}}, seed);
    CHECK(std::max(both[0], both[1]) == doctest::Approx(8));
    less += std::min(both[0], both[1]) < 7.9;
    CHECK(same[0] == doctest::Approx(8));
    CHECK(same[1] == doctest::Approx(8));
    const auto uniform = shifts({{"alpha", 8}, {"noise_distribution", "uniform"}}, seed);
    of_uniform += std::max(uniform[0], uniform[1]) < 7.9;
  }
  CHECK(less > 15);
  CHECK(of_uniform > 15);  // is between -1 and 1 as it is
}
