#include <algorithm>
#include <cmath>
#include <utility>

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

std::shared_ptr<Transform> grid_with(nlohmann::json options, const sectile::BuildContext& context = {}) {
  return sectile::test::always("grid_distortion", std::move(options), context);
}

// Where the centers of the columns (axis 0) or rows come from.
std::vector<double> sources_along(int axis, const Transform& grid, const Sample& sample, std::uint64_t seed = 1) {
  const auto warp = sectile::test::drawn_warp(grid, sample, seed);
  std::vector<double> sources;
  for (int i = 0; i < (axis == 0 ? warp.size.width : warp.size.height); ++i) {
    const auto& shift = axis == 0 ? warp.displacement.at<cv::Vec3f>(0, i) : warp.displacement.at<cv::Vec3f>(i, 0);
    sources.push_back(i + 0.5 + shift[axis]);
  }
  return sources;
}

Sample image_of_size(int height, int width) { return sectile::test::sheet_of(CV_8U, {width, height}, 0); }

}  // namespace

TEST_CASE("grid_distortion gives the pixels and labels of OpenCV, and almost those of albumentations 2.0.8") {
  const auto expected = sectile::test::expected_of_transform("grid_distortion")["pattern"];
  const auto grid = grid_with({{"num_steps", 1}, {"distort_limit", {-0.2, -0.2}}, {"normalized", false}});
  // The 24 columns of albumentations come from 0 to 19.2, and not from 0.4 to 18.8: up to half a pixel, or 6 levels.
  const auto after = applied(*grid, sectile::test::patterned({24, 18}));
  sectile::test::check_as_expected(after, expected);
  const auto values = expected["albumentations"].get<std::vector<int>>();
  REQUIRE(values.size() == after.image.total());
  double difference = 0;
  for (std::size_t i = 0; i < values.size(); ++i) difference += std::abs(after.image.data[i] - values[i]);
  CHECK(difference / static_cast<double>(values.size()) < 10);
}

// 2000 draws here and 4000 there. The cells of albumentations reach one pixel, of 40, further.
TEST_CASE("grid_distortion moves columns and rows with the distribution of albumentations 2.0.8") {
  const auto& spread = sectile::test::expected_of_transform("grid_distortion")["spread"];
  REQUIRE(spread.size() == 2);
  for (const auto& one : spread) {
    CAPTURE(one.dump());
    const auto grid = grid_with({{"normalized", one["normalized"]}});
    for (const int axis : {0, 1}) {
      const Sample sample = axis == 0 ? image_of_size(5, 200) : image_of_size(200, 5);
      double sum[4] = {}, squares[4] = {};
      for (std::uint64_t seed = 0; seed < 2000; ++seed) {
        const auto sources = sources_along(axis, *grid, sample, seed);
        for (std::size_t i = 0; i < 4; ++i) {
          const double at = sources[one["columns"][i].get<std::size_t>()];
          sum[i] += at, squares[i] += at * at;
        }
      }
      for (std::size_t i = 0; i < 4; ++i) {
        const double deviation = std::sqrt(squares[i] / 2000 - sum[i] / 2000 * (sum[i] / 2000));
        CHECK(std::abs(deviation / one["deviations"][i].get<double>() - 1) < 0.08);
      }
    }
  }
}

TEST_CASE("grid_distortion stretches each cell evenly, and shows all of the image if normalized") {
  const auto normalized = grid_with({{"num_steps", 4}}), loose = grid_with({{"num_steps", 4}, {"normalized", false}});
  std::vector<double> stretches;
  for (std::uint64_t seed = 0; seed < 60; ++seed)
    for (const auto* grid : {&normalized, &loose}) {
      const auto sources = sources_along(0, **grid, image_of_size(7, 43), seed);
      REQUIRE(sources.size() == 43);
      double shown = 0;
      for (int cell = 0; cell < 5; ++cell) {  // of 10 pixels, and one of 3
        const std::size_t from = static_cast<std::size_t>(10 * cell), to = std::min<std::size_t>(from + 10, 43);
        const double stretch = sources[from + 1] - sources[from];
        if (grid == &loose) {
          CHECK(stretch > 0.7 - 1e-4);
          CHECK(stretch < 1.3 + 1e-4);
          stretches.push_back(stretch);
        }
        CHECK(sources[from] == doctest::Approx(shown + stretch / 2).epsilon(1e-4));
        for (std::size_t i = from + 1; i < to; ++i)
          CHECK(sources[i] - sources[i - 1] == doctest::Approx(stretch).epsilon(1e-3));
        shown += stretch * static_cast<double>(to - from);
      }
      if (grid == &normalized) CHECK(shown == doctest::Approx(43).epsilon(1e-4));
    }
  sectile::test::check_uniform(stretches, 0.7, 1.3, 1e-4);
}

TEST_CASE("grid_distortion without distortion, or with a probability of 0, changes nothing") {
  const auto before = annotated();
  const auto same = applied(*grid_with({{"distort_limit", {0, 0}}}), before);
  CHECK(cv::norm(same.image, before.image, cv::NORM_INF) == 0);
  CHECK(cv::norm(same.labels, before.labels, cv::NORM_INF) == 0);
  CHECK(applied(*grid_with({{"probability", 0}}), before).image.data == before.image.data);
}

TEST_CASE("grid_distortion moves labels and masks with the image") {
  const auto before = annotated();
  const auto context = sectile::test::context(4);
  const auto grid =
      grid_with({{"interpolation", "nearest"}, {"normalized", false}, {"fill", 60}, {"label_fill", "1"}}, context);
  for (std::uint64_t seed = 0; seed < 20; ++seed) {
    const auto after = applied(*grid, before, seed);
    CHECK_FALSE(after.geometry.invertible);
    int wrong = 0;
    for (int y = 0; y < after.image.rows; ++y)
      for (int x = 0; x < after.image.cols; ++x)
        wrong += after.image.at<cv::Vec3b>(y, x)[0] != 60 * after.labels.at<std::int16_t>(y, x);
    CHECK(wrong == 0);
    for (const auto& instance : after.instances)
      if (!instance.mask.empty())
        CHECK(cv::countNonZero(instance.mask.bitmap()) <= cv::countNonZero(after.labels == instance.category));
      else  // of the pixels that come from inside it
        CHECK(instance.box == sectile::Mask(cv::Mat((after.labels == instance.category) / 255)).box());
  }
}

TEST_CASE("grid_distortion distorts each slice of a volume alike, and takes images of any type") {
  Sample flat = sectile::test::patterned({33, 21}), volume;
  const int sizes[] = {2, 21, 33};
  volume.image = cv::Mat(3, sizes, CV_8U);
  for (int z = 0; z < 2; ++z) std::copy_n(flat.image.data, 21 * 33, volume.image.ptr(z));
  const auto grid = grid_with(nlohmann::json::object());
  const cv::Mat expected = applied(*grid, flat, 3).image;
  cv::Mat after = applied(*grid, volume, 3).image;
  for (int z = 0; z < 2; ++z) CHECK(cv::norm(cv::Mat(21, 33, CV_8U, after.ptr(z)), expected, cv::NORM_INF) <= 1);
  sectile::test::check_takes_any_image(*grid);  // also of fewer pixels than cells
}

TEST_CASE("grid_distortion says what is wrong with its options") {
  const auto refused = [](const nlohmann::json& options, const char* message) {
    CHECK_THROWS_WITH_AS(grid_with(options), doctest::Contains(message), sectile::SpecError);
  };
  refused({{"num_steps", 0}}, "/part/num_steps: 0 is too small");
  refused({{"distort_limit", {0.3, -0.3}}}, "/part/distort_limit: the minimum is greater than the maximum");
  refused({{"distort_limit", {-2, 0}}}, "/part/distort_limit/0: -2 is too small");
}
