#include <opencv2/imgproc.hpp>

#include <sectile/error.h>

#include "support/annotated.h"
#include "support/component.h"
#include "support/distribution.h"
#include "support/patterned.h"

using sectile::Transform;
using sectile::test::annotated;
using sectile::test::applied;
using sectile::test::check_moved_together;
using sectile::test::make;

TEST_CASE("random_scale keeps the aspect, stays in its range and moves all annotation") {
  const auto scale = make<Transform>(R"({"type": "random_scale", "range": [0.5, 2]})");
  const auto before = annotated();
  double least = 9, most = 0;
  for (std::uint64_t seed = 0; seed < 200; ++seed) {
    const auto after = applied(*scale, before, seed);
    const double factor = after.image.cols / 23.0;
    least = std::min(least, factor), most = std::max(most, factor);
    CHECK(std::abs(after.image.rows - factor * 17) < 1);
    if (seed < 10) check_moved_together(before, after, true);
    const cv::Vec4d corner = after.geometry.to_original * cv::Vec4d(after.image.cols, after.image.rows, 0.5, 1);
    CHECK(corner[0] == doctest::Approx(23));
    CHECK(corner[1] == doctest::Approx(17));
  }
  CHECK(least >= 11 / 23.0);
  CHECK(least < 0.6);
  CHECK(most <= 2);
  CHECK(most > 1.85);
}

TEST_CASE("random_scale never makes an image vanish, and refuses a range upside down") {
  const auto scale = make<Transform>(R"({"type": "random_scale", "range": [0.01, 0.01]})");
  CHECK(applied(*scale, annotated()).image.size() == cv::Size(1, 1));
  CHECK_THROWS_WITH_AS(make<Transform>(R"({"type": "random_scale", "range": [2, 1]})"),
                       doctest::Contains("/part/range: the minimum is greater than the maximum"), sectile::SpecError);
}

TEST_CASE("random_scale makes pixels as it is told") {
  const auto before = annotated();
  for (const auto& [name, flag] : {std::pair<std::string, int>("nearest", cv::INTER_NEAREST),
                                   {"linear", cv::INTER_LINEAR},
                                   {"cubic", cv::INTER_CUBIC},
                                   {"area", cv::INTER_AREA}}) {
    CAPTURE(name);
    const auto scale =
        make<Transform>(R"({"type": "random_scale", "range": [0.5, 0.5], "interpolation": ")" + name + "\"}");
    const auto after = applied(*scale, before);
    cv::Mat wanted;
    cv::resize(before.image, wanted, after.image.size(), 0, 0, flag);
    if (name == "nearest")  // whose nearest pixel is the one that the position lies in
      check_moved_together(before, after, true);
    else
      CHECK(cv::norm(after.image, wanted, cv::NORM_INF) == 0);
  }
}

TEST_CASE("random_scale is applied always by default, or as often as its probability says") {
  const auto before = annotated();
  const auto always = make<Transform>(R"({"type": "random_scale", "range": [2, 2]})"),
             rarely = make<Transform>(R"({"type": "random_scale", "range": [2, 2], "probability": 0.25})");
  int scaled = 0;
  for (std::uint64_t seed = 0; seed < 400; ++seed) {
    CHECK(applied(*always, before, seed).image.cols == 46);
    const auto after = applied(*rarely, before, seed);
    scaled += after.image.cols == 46;
    if (after.image.cols != 46) CHECK(after.image.data == before.image.data);
  }
  CHECK(std::abs(scaled - 100) < 40);
}

TEST_CASE("random_scale draws its factor uniformly, from 0.5 to 2 by default") {
  const auto scale = make<Transform>(R"({"type": "random_scale"})");
  sectile::Sample sample;
  sample.image = cv::Mat(10, 1000, CV_8U, cv::Scalar(0));
  std::vector<double> drawn;
  for (std::uint64_t seed = 0; seed < 500; ++seed)
    drawn.push_back(sectile::test::drawn_warp(*scale, sample, seed).size.width / 1000.);
  sectile::test::check_uniform(drawn, 0.5, 2, 1e-3);
}
