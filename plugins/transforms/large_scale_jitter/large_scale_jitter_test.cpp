#include <algorithm>
#include <cmath>

#include <sectile/error.h>

#include "support/annotated.h"
#include "support/component.h"
#include "support/distribution.h"
#include "support/patterned.h"

using sectile::Sample;
using sectile::Transform;
using sectile::test::annotated;
using sectile::test::applied;
using sectile::test::check_moved_together;
using sectile::test::make;

namespace {

std::shared_ptr<Transform> jitter_with(nlohmann::json options, const sectile::BuildContext& context = {}) {
  options["type"] = "large_scale_jitter";
  return make<Transform>(options.dump(), context);
}

}  // namespace

// By the rules of Detectron2: an image of 17 x 23 pixels fits into 34 x 69 twice as large, which is its scale of 1.
TEST_CASE("large_scale_jitter resizes by a factor of the size that just fits, and rounds to whole pixels") {
  struct Expected {
    double scale;
    int height, width;
  };
  const auto before = annotated();
  for (const auto& [scale, height, width] : {Expected{1, 34, 46}, {0.5, 17, 23}, {0.3, 10, 14}, {0.01, 1, 1}}) {
    CAPTURE(scale);
    const auto after = applied(*jitter_with({{"target_size", {34, 69}}, {"scale_range", {scale, scale}}}), before);
    REQUIRE(after.image.size() == cv::Size(69, 34));
    CHECK(cv::countNonZero(after.labels != sectile::kIgnore) == height * width);
    CHECK(after.labels.at<std::int16_t>(height - 1, width - 1) != sectile::kIgnore);
    CHECK(after.geometry.to_original(0, 0) == doctest::Approx(23. / width));
    CHECK(after.geometry.to_original(1, 1) == doctest::Approx(17. / height));
    if (height > 1) check_moved_together(before, after, true);
  }
}

TEST_CASE("large_scale_jitter crops what is larger at any place, and pads what is smaller at the right and below") {
  const auto before = annotated();
  const auto jitter = jitter_with({{"target_size", {10, 20}}, {"scale_range", {2, 2}}});  // to 20 x 27
  bool at_start = false, at_end = false;
  for (std::uint64_t seed = 0; seed < 300; ++seed) {
    const auto warp = sectile::test::drawn_warp(*jitter, before, seed);
    const double left = warp.to_input(0, 3) * 27 / 23, top = warp.to_input(1, 3) * 20 / 17;
    CHECK(std::abs(left - std::round(left)) < 1e-9);
    CHECK(left > -1e-9);
    CHECK(left < 7 + 1e-9);
    CHECK(top > -1e-9);
    CHECK(top < 10 + 1e-9);
    at_start |= left < 0.5 && top<1, at_end |= left> 6.5 && top > 9;
    CHECK(std::abs(left / 7 - top / 10) < 0.13);  // by one number, as there
  }
  CHECK(at_start);
  CHECK(at_end);
}

TEST_CASE("large_scale_jitter draws factors within its range") {
  const auto jitter = jitter_with({{"target_size", {170, 230}}, {"scale_range", {0.2, 1.5}}});
  const auto before = annotated();
  double least = 9, most = 0, sum = 0;
  std::vector<double> drawn;
  for (std::uint64_t seed = 0; seed < 500; ++seed) {
    const double scale = 0.1 / sectile::test::drawn_warp(*jitter, before, seed).to_input(0, 0);
    least = std::min(least, scale), most = std::max(most, scale), sum += scale;
    drawn.push_back(scale);
  }
  CHECK(least > 0.195);
  CHECK(least < 0.22);
  CHECK(most < 1.505);
  CHECK(most > 1.48);
  CHECK(std::abs(sum / 500 - 0.85) < 0.08);
  sectile::test::check_uniform(drawn, 0.2, 1.5, 0.5 / 230);  // of whole pixels
}

TEST_CASE("large_scale_jitter makes 1024 x 1024 pixels by itself, filled as it is told") {
  CHECK(applied(*jitter_with(nlohmann::json::object()), annotated()).image.size() == cv::Size(1024, 1024));
  const auto context = sectile::test::context(4);
  const auto jitter = jitter_with({{"target_size", {20, 20}},
                                   {"scale_range", {0.5, 0.5}},
                                   {"fill", {1, 2, 3}},
                                   {"label_fill", "1"},
                                   {"interpolation", "nearest"}},
                                  context);
  const auto after = applied(*jitter, annotated());
  CHECK(after.image.at<cv::Vec3b>(19, 19) == cv::Vec3b(1, 2, 3));
  CHECK(after.labels.at<std::int16_t>(19, 19) == 1);
  for (int i = 0; i < 70; ++i) CHECK(after.image.at<cv::Vec3b>(i / 10, i % 10)[0] % 60 == 0);
}

TEST_CASE("large_scale_jitter takes images of any type, and says what is wrong with its options") {
  sectile::test::check_takes_any_image(*jitter_with({{"target_size", {5, 6}}}));
  const auto refused = [](const nlohmann::json& options, const char* message) {
    CHECK_THROWS_WITH_AS(jitter_with(options), doctest::Contains(message), sectile::SpecError);
  };
  refused({{"target_size", {0, 5}}}, "/part/target_size/0");
  refused({{"scale_range", {2, 1}}}, "/part/scale_range: the minimum is greater than the maximum");
  refused({{"scale_range", {0, 1}}}, "/part/scale_range/0");
}

TEST_CASE("large_scale_jitter by itself draws factors from 0.1 to 2") {
  const auto jitter = jitter_with(nlohmann::json::object());
  Sample sample;
  sample.image = cv::Mat(512, 512, CV_8U, cv::Scalar(0));
  std::vector<double> drawn;
  for (std::uint64_t seed = 0; seed < 500; ++seed)
    drawn.push_back(0.5 / sectile::test::drawn_warp(*jitter, sample, seed).to_input(0, 0));
  sectile::test::check_uniform(drawn, 0.1, 2, 0.5 / 1024);  // of whole pixels
}
