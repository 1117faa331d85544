#include <sectile/error.h>
#include <sectile/mask.h>
#include <sectile/random.h>
#include <opencv2/core.hpp>

#include "support/test.h"

using sectile::Mask;
using sectile::Polygons;
using sectile::Rle;

namespace {

cv::Mat spots(cv::Size size, std::uint64_t seed) {
  sectile::Random random{seed};
  cv::Mat bits(size, CV_8U, cv::Scalar(0));
  for (auto it = bits.begin<std::uint8_t>(); it != bits.end<std::uint8_t>(); ++it) *it = random.chance(0.4);
  return bits;
}

}  // namespace

TEST_CASE("run lengths go down the columns and begin with background") {
  const cv::Mat bits = (cv::Mat_<std::uint8_t>(2, 3) << 1, 0, 1,  //
                        1, 0, 0);
  CHECK(Mask(bits).rle().counts == std::vector<std::uint32_t>{0, 2, 2, 1, 1});
  CHECK(Mask(bits).rle().size == cv::Size(3, 2));
}

TEST_CASE("a bitmap survives run lengths, and area and box agree") {
  for (std::uint64_t seed = 0; seed < 20; ++seed) {
    const cv::Mat bits = spots({static_cast<int>(1 + seed), 9}, seed);
    const Mask runs(Mask(bits).rle());
    CHECK(cv::norm(runs.bitmap(), bits, cv::NORM_INF) == 0);
    CHECK(runs.area() == cv::countNonZero(bits));
    CHECK(Mask(bits).area() == cv::countNonZero(bits));
    CHECK(runs.box() == Mask(bits).box());
  }
}

TEST_CASE("a box encloses the pixels that are set, and that of an empty mask is empty") {
  cv::Mat bits(6, 8, CV_8U, cv::Scalar(0));
  CHECK(Mask(bits).box() == cv::Rect2f());
  bits.at<std::uint8_t>(1, 5) = bits.at<std::uint8_t>(4, 2) = 1;
  CHECK(Mask(bits).box() == cv::Rect2f(2, 1, 4, 4));
  CHECK_FALSE(Mask(bits).empty());
  CHECK(Mask().empty());
  CHECK(Mask().area() == 0);
}

TEST_CASE("polygons cover the pixels whose centres they hold; a ring inside another is a hole by one rule only") {
  Polygons polygons{{6, 6}, {{{0, 0}, {5, 0}, {5, 5}, {0, 5}}, {{1, 1}, {3, 1}, {3, 3}, {1, 3}}}};
  CHECK(Mask(polygons).area() == 25);
  polygons.rule = Polygons::Rule::even_odd;
  CHECK(Mask(polygons).area() == 25 - 4);
  CHECK(Mask(polygons).box() == cv::Rect2f(0, 0, 5, 5));
}

TEST_CASE("run lengths that lead beyond the image are an error, not a write past its end") {
  CHECK_THROWS_WITH_AS(Mask(Rle{{3, 2}, {1, 50}}).bitmap(),
                       doctest::Contains("has run lengths of 51 pixels, and is of an image of 2 x 3 (height x width)"),
                       sectile::DataError);
  CHECK_THROWS_AS(Mask(Rle{{3, 2}, {1, 4000000000u, 4000000000u}}).bitmap(), sectile::DataError);
  CHECK(Mask(Rle{{3, 2}, {}}).area() == 0);
}
