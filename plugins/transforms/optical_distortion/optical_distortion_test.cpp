#include <algorithm>
#include <utility>

#include <opencv2/imgproc.hpp>

#include <sectile/error.h>

#include "support/annotated.h"
#include "support/component.h"
#include "support/distribution.h"
#include "support/patterned.h"
#include "support/transforms.h"

using sectile::Sample;
using sectile::Transform;
using sectile::test::annotated;
using sectile::test::applied;

namespace {

std::shared_ptr<Transform> lens_with(nlohmann::json options, const sectile::BuildContext& context = {}) {
  return sectile::test::always("optical_distortion", std::move(options), context);
}

}  // namespace

TEST_CASE("optical_distortion gives the pixels and labels of OpenCV's camera, and of a fisheye") {
  const auto expected = sectile::test::expected_of_transform("optical_distortion");
  REQUIRE(expected.size() == 4);
  for (const auto& one : expected) {
    CAPTURE(one["mode"].get<std::string>());
    CAPTURE(one["k"].get<double>());
    const auto lens = lens_with({{"mode", one["mode"]}, {"distort_limit", {one["k"], one["k"]}}});
    sectile::test::check_as_expected(applied(*lens, sectile::test::patterned({24, 18})), one);
  }
}

TEST_CASE("optical_distortion keeps the center, and moves pixels on opposite sides alike") {
  const auto before = annotated({23, 17});
  for (const char* mode : {"camera", "fisheye"}) {
    const auto lens = lens_with({{"mode", mode}, {"distort_limit", {0.3, 0.3}}});
    const cv::Mat shift = sectile::test::drawn_warp(*lens, before).displacement;
    CHECK(cv::norm(shift.at<cv::Vec3f>(8, 11)) == 0);
    for (const cv::Point at : {cv::Point(0, 0), cv::Point(3, 5), cv::Point(22, 8)}) {
      const auto here = shift.at<cv::Vec3f>(at), there = shift.at<cv::Vec3f>(16 - at.y, 22 - at.x);
      CHECK(cv::norm(here + there) < 1e-5);
      CHECK(here[2] == 0);
    }
    CHECK(shift.at<cv::Vec3f>(0, 0)[0] < 0);  // from farther outside: a barrel
  }
}

TEST_CASE("optical_distortion draws coefficients within its limit") {
  const auto before = annotated();
  const auto lens = lens_with({{"distort_limit", {-0.1, 0.2}}, {"mode", "fisheye"}});
  double least = 9, most = -9;
  std::vector<double> drawn;
  for (std::uint64_t seed = 0; seed < 300; ++seed) {
    const auto shift = sectile::test::drawn_warp(*lens, before, seed).displacement.at<cv::Vec3f>(0, 0);
    const double x = -11, y = -8, squared = (x * x + y * y) / ((23 * 23 + 17 * 17) / 4.);
    const double k = shift[0] / x / squared;
    CHECK(shift[1] / y / squared == doctest::Approx(k));
    least = std::min(least, k), most = std::max(most, k);
    drawn.push_back(k);
  }
  CHECK(least >= -0.1 - 1e-6);
  CHECK(least < -0.09);
  CHECK(most <= 0.2 + 1e-6);
  CHECK(most > 0.19);
  sectile::test::check_uniform(drawn, -0.1, 0.2, 1e-5);
}

TEST_CASE("optical_distortion moves labels and masks with the image, and fills what is outside") {
  const auto before = annotated();
  const auto context = sectile::test::context(4);
  const auto lens = lens_with(
      {{"distort_limit", {0.6, 0.9}}, {"interpolation", "nearest"}, {"fill", 120}, {"label_fill", "2"}}, context);
  for (std::uint64_t seed = 0; seed < 10; ++seed) {
    const auto after = applied(*lens, before, seed);
    CHECK_FALSE(after.geometry.invertible);
    CHECK(after.labels.at<std::int16_t>(0, 0) == 2);
    int wrong = 0;
    for (int y = 0; y < after.image.rows; ++y)
      for (int x = 0; x < after.image.cols; ++x)
        wrong += after.image.at<cv::Vec3b>(y, x)[0] != 60 * after.labels.at<std::int16_t>(y, x);
    CHECK(wrong == 0);
    for (const auto& instance : after.instances)
      if (!instance.mask.empty() && instance.category == 1)
        CHECK(cv::norm(instance.mask.bitmap() * 255, after.labels == 1, cv::NORM_INF) == 0);
  }
}

TEST_CASE("optical_distortion distorts each slice of a volume alike, and takes images of any type") {
  Sample flat = sectile::test::patterned({33, 21}), volume;
  const int sizes[] = {2, 21, 33};
  volume.image = cv::Mat(3, sizes, CV_8U);
  for (int z = 0; z < 2; ++z) std::copy_n(flat.image.data, 21 * 33, volume.image.ptr(z));
  const auto lens = lens_with({{"distort_limit", {-0.3, -0.3}}});
  const cv::Mat expected = applied(*lens, flat).image;
  cv::Mat after = applied(*lens, volume).image;
  for (int z = 0; z < 2; ++z) CHECK(cv::norm(cv::Mat(21, 33, CV_8U, after.ptr(z)), expected, cv::NORM_INF) <= 1);
  sectile::test::check_takes_any_image(*lens);
  sectile::test::check_takes_any_image(*lens_with({{"mode", "fisheye"}}));
}

TEST_CASE("optical_distortion with a probability of 0 changes nothing, and says what is wrong with its options") {
  const auto before = annotated();
  CHECK(applied(*lens_with({{"probability", 0}}), before).image.data == before.image.data);
  const auto refused = [](const nlohmann::json& options, const char* message) {
    CHECK_THROWS_WITH_AS(lens_with(options), doctest::Contains(message), sectile::SpecError);
  };
  refused({{"distort_limit", {0.3, -0.3}}}, "/part/distort_limit: the minimum is greater than the maximum");
  refused({{"distort_limit", {-2, 0}}}, "/part/distort_limit/0: -2 is too small");
  refused({{"mode", "camra"}}, "/part/mode: unknown value \"camra\"");
}
