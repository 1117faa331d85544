// Several warps joined into one.
#include <sectile/transform.h>
#include <opencv2/core.hpp>

#include "support/annotated.h"
#include "support/test.h"
#include "support/warps.h"

using namespace sectile;
using namespace sectile::test;

namespace {

void check_same_annotation(const Sample& one, const Sample& other) {
  CHECK(difference(one.labels, other.labels) == 0);
  CHECK(difference(one.segment_ids, other.segment_ids) == 0);
  CHECK(difference(one.targets.at("nearest"), other.targets.at("nearest")) == 0);
  REQUIRE(one.instances.size() == other.instances.size());
  for (std::size_t i = 0; i < one.instances.size(); ++i) {
    const auto &a = one.instances[i], &b = other.instances[i];
    CHECK(std::abs(a.box.x - b.box.x) + std::abs(a.box.y - b.box.y) < 1e-3);
    CHECK(std::abs(a.box.width - b.box.width) + std::abs(a.box.height - b.box.height) < 1e-3);
    REQUIRE(a.mask.empty() == b.mask.empty());
    if (!a.mask.empty()) CHECK(difference(a.mask.bitmap(), b.mask.bitmap()) == 0);
  }
  for (int i = 0; i < 16; ++i)
    CHECK(one.geometry.to_original.val[i] == doctest::Approx(other.geometry.to_original.val[i]).epsilon(1e-12));
  CHECK(one.geometry.original == other.geometry.original);
}

}  // namespace

TEST_CASE("scale, rotation and crop fused are one resampling by the reference sampler") {
  const Extent size{1, 31, 43};
  const Warp scale = Warp::resize(size, {1, 50, 70}), turned = rotated({1, 50, 70}, {1, 60, 80}, 20),
             crop = Warp::crop(22, 15, 0, {1, 25, 30});
  const Warp all = fused(fused(scale, turned), crop), other_order = fused(scale, fused(turned, crop));
  CHECK(all.stages.empty());  // the window lies inside of all
  Warp one;
  one.size = crop.size;
  one.to_input = scale.to_input * turned.to_input * crop.to_input;
  for (const int type : {CV_8UC3, CV_32FC1}) {
    const cv::Mat pixels = noise({43, 31}, type);
    const double allowed = type == CV_32FC1 ? 1e-3 : 1;
    CHECK(difference(image_after(all, pixels), image_after(by_reference(one), pixels)) <= allowed);
    CHECK(difference(image_after(other_order, pixels), image_after(by_reference(one), pixels)) <= allowed);
  }
}

TEST_CASE("warps fused leave annotation and geometry as warps in a row do") {
  const Extent size{1, 17, 23}, large{1, 37, 50};
  Warp small = Warp::crop(4, 3, 0, {1, 9, 12}), pad = Warp::crop(-5, -2, 0, {1, 20, 20});
  pad.image_fill = {9, 8, 7};
  pad.label_fill = 2;
  Warp wide = Warp::crop(-3, -4, 0, {1, 50, 60});
  wide.image_fill = {4};
  const std::vector<std::vector<Warp>> chains{
      {Warp::resize(size, large), Warp::crop(7, 5, 0, {1, 20, 31}), Warp::flip({1, 20, 31}, 0)},
      {Warp::resize(size, large), wide, turn({1, 50, 60}, 3), Warp::crop(-2, -2, 0, {1, 70, 45})},
      {small, pad},  // the pixels beside the window stay hidden
      {small, pad, Warp::flip({1, 20, 20}, 1), Warp::crop(2, 2, 0, {1, 30, 30})},
      {pad, Warp::crop(3, 1, 0, {1, 8, 9}), Warp::crop(-3, -3, 0, {1, 15, 15}), turn({1, 15, 15}, 1)},
      {Warp::crop(100, 0, 0, {1, 5, 5}), Warp::crop(-9, 0, 0, {1, 9, 20})}};
  for (std::size_t i = 0; i < chains.size(); ++i) {
    CAPTURE(i);
    Sample in_a_row = annotated(), at_once = annotated();
    Warp all = chains[i].front();
    apply(all, in_a_row);
    for (std::size_t k = 1; k < chains[i].size(); ++k) {
      apply(chains[i][k], in_a_row);
      all = fused(all, chains[i][k]);
    }
    apply(all, at_once);
    check_same_annotation(at_once, in_a_row);
    CHECK(difference(at_once.image, in_a_row.image) <= 1);
  }
}

TEST_CASE("fused warps interpolate as the first that mixes pixels says") {
  const Extent size{1, 8, 8};
  const Warp scale = with(Warp::resize(size, {1, 4, 4}), Interpolation::area), crop = Warp::crop(0, 0, 0, {1, 4, 4});
  CHECK(fused(scale, crop).interpolation == Interpolation::area);
  CHECK(fused(Warp::flip(size, 0), scale).interpolation == Interpolation::area);
  CHECK(fused(with(rotated(size, size, 10), Interpolation::cubic), scale).interpolation == Interpolation::cubic);
}

TEST_CASE("displacements are joined, at whatever place the warp with one stands") {
  const Extent size{1, 8, 8}, large{1, 16, 16};
  Warp shift = Warp::crop(0, 0, 0, large);
  shift.displacement = cv::Mat(16, 16, CV_32FC3, cv::Scalar(2, 4, 0));
  const Warp after = fused(Warp::resize(size, large), shift);  // two of the larger pixels are one of the smaller
  CHECK(after.displacement.at<cv::Vec3f>(3, 5) == cv::Vec3f(1, 2, 0));
  Warp wave = Warp::crop(0, 0, 0, size);
  wave.displacement = cv::Mat(8, 8, CV_32FC3);
  for (int y = 0; y < 8; ++y)
    for (int x = 0; x < 8; ++x) wave.displacement.at<cv::Vec3f>(y, x) = cv::Vec3f(0.25f * static_cast<float>(x), 0, 0);
  const Warp cut = fused(wave, Warp::crop(2, 1, 0, {1, 4, 4}));
  CHECK(cut.displacement.at<cv::Vec3f>(0, 1) == cv::Vec3f(0.75f, 0, 0));
  const Warp magnified = fused(wave, Warp::resize(size, large));  // pixel 5's centre is 2.75: a quarter from 2 to 3
  CHECK(magnified.displacement.at<cv::Vec3f>(0, 5)[0] == doctest::Approx(0.25 * 2.25));
  // Whole shifts move pixels exactly as they do in a row.
  const cv::Mat pixels = noise({8, 8}, CV_8UC1);
  Warp by_two = Warp::crop(0, 0, 0, size);
  by_two.displacement = cv::Mat(8, 8, CV_32FC3, cv::Scalar(2, 0, 0));
  by_two.image_fill = {99};
  const cv::Mat row = image_after(by_two, image_after(by_two, pixels));
  CHECK(difference(image_after(fused(by_two, by_two), pixels), row) == 0);
  Sample bent = image_of(pixels);
  apply(fused(by_two, by_two), bent);
  CHECK_FALSE(bent.geometry.invertible);
}

TEST_CASE("a box is one of an ellipse if either of the joined warps says so") {
  const Extent size{1, 60, 80};
  for (const bool first_is_rotated : {true, false}) {
    CAPTURE(first_is_rotated);
    Warp first = Warp::resize({1, 30, 40}, size), second = Warp::flip(size, 0);
    (first_is_rotated ? first : second) = rotated(first_is_rotated ? Extent{1, 30, 40} : size, size, 25);
    (first_is_rotated ? first : second).boxes_are_ellipses = true;
    Sample in_a_row = image_of(cv::Mat(30, 40, CV_8U, cv::Scalar(0)));
    in_a_row.instances.emplace_back();
    in_a_row.instances.back().box = {14, 11, 12, 8};
    Sample at_once = in_a_row;
    apply(fused(first, second), at_once);
    apply(first, in_a_row), apply(second, in_a_row);
    const cv::Rect2f a = at_once.instances.at(0).box, b = in_a_row.instances.at(0).box;
    CHECK(std::abs(a.x - b.x) + std::abs(a.y - b.y) < 1e-3);
    CHECK(std::abs(a.width - b.width) + std::abs(a.height - b.height) < 1e-3);
  }
}
