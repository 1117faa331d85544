// Objects of a batch in the coordinates of their files.
#include <ATen/ATen.h>
#include <opencv2/core.hpp>
#include <opencv2/imgproc.hpp>

#include <sectile/error.h>
#include <sectile/nn/detection/paste_masks.h>
#include <sectile/nn/detection/restore_objects.h>
#include <sectile/transform.h>

#include "support/test.h"
#include "upper/loading/batch.h"

using namespace sectile;

namespace {

constexpr int kFileWidth = 60, kFileHeight = 40;

// A blank image after these warps.
Batch warped_batch(const std::vector<std::function<Warp(const Extent&)>>& warps) {
  Sample sample;
  sample.id = "file";
  sample.image = cv::Mat(kFileHeight, kFileWidth, CV_8UC3, cv::Scalar::all(0));
  sample.geometry.original = extent(sample.image);
  for (const auto& warp : warps) apply(warp(extent(sample.image)), sample);
  std::vector<Sample> samples;
  samples.push_back(std::move(sample));
  ModelTraits traits;
  traits.divisor = {1, 32, 32};
  return collate(std::move(samples), {.traits = traits, .classes = 1, .objects = true});
}

// One object, whose mask is full on its left half.
nn::FoundObjects half_full(double left, double top, double right, double bottom) {
  auto mask = at::zeros({1, 28, 28});
  mask.slice(2, 0, 14).fill_(1);
  return {.boxes = at::tensor({left, top, right, bottom}, at::kFloat).view({1, 4}),
          .scores = at::tensor({0.75}, at::kFloat),
          .classes = at::tensor({3}, at::kLong),
          .masks = mask};
}

cv::Rect box_of_pixels(const Mask& mask) { return cv::boundingRect(mask.bitmap()); }

bool close(const cv::Rect2f& a, const cv::Rect2f& b) {
  return std::abs(a.x - b.x) < 1e-3 && std::abs(a.y - b.y) < 1e-3 && std::abs(a.width - b.width) < 1e-3 &&
         std::abs(a.height - b.height) < 1e-3;
}

}  // namespace

TEST_CASE("objects of an image that was not changed are those of the file") {
  const auto batch = warped_batch({});
  const auto found = half_full(10, 8, 30, 28);
  const auto objects = nn::restore_objects(found, batch, 0);
  REQUIRE(objects.size() == 1);
  CHECK(objects[0].category == 3);
  CHECK(objects[0].score == 0.75f);
  CHECK(close(objects[0].box, {10, 8, 20, 20}));
  CHECK(objects[0].mask.rle().counts == nn::paste_masks(found.masks, found.boxes, {kFileWidth, kFileHeight})[0].counts);
  CHECK(objects[0].mask.bitmap().size() == cv::Size(kFileWidth, kFileHeight));
}

TEST_CASE("objects of a larger image, and of a part of it, are scaled and shifted back, and masks pasted there") {
  const auto batch = warped_batch({[](const Extent& from) {
                                     return Warp::resize(from, {1, 80, 120});
                                   },
                                   [](const Extent&) {
                                     return Warp::crop(20, 10, 0, {1, 64, 96});
                                   }});
  const auto objects = nn::restore_objects(half_full(0, 6, 40, 46), batch, 0);
  REQUIRE(objects.size() == 1);
  CHECK(close(objects[0].box, {10, 8, 20, 20}));
  CHECK(objects[0].mask.rle().counts ==
        nn::paste_masks(half_full(10, 8, 30, 28).masks, half_full(10, 8, 30, 28).boxes, {kFileWidth, kFileHeight})[0]
            .counts);
}

TEST_CASE("objects that reach into padding are cut at the file's edges, and those within it are left out") {
  const auto batch = warped_batch({[](const Extent&) { return Warp::crop(-16, -8, 0, {1, 64, 96}); }});
  const auto objects = nn::restore_objects(half_full(6, 12, 36, 42), batch, 0);
  REQUIRE(objects.size() == 1);
  CHECK(close(objects[0].box, {0, 4, 20, 30}));
  const auto whole = half_full(-10, 4, 20, 34);
  CHECK(objects[0].mask.rle().counts == nn::paste_masks(whole.masks, whole.boxes, {kFileWidth, kFileHeight})[0].counts);
  CHECK(nn::restore_objects(half_full(2, 12, 15, 42), batch, 0).empty());
}

TEST_CASE("masks of mirrored and turned images are mirrored and turned back") {
  const auto mirrored = warped_batch({[](const Extent& from) { return Warp::flip(from, 0); }});
  auto objects = nn::restore_objects(half_full(30, 8, 50, 28), mirrored, 0);  // 10 to 30 in the file
  CHECK(close(objects.at(0).box, {10, 8, 20, 20}));
  const auto half = box_of_pixels(objects[0].mask);
  CHECK(half.x == 20);  // the left half of the mirrored image is the right one of the file
  CHECK(half.x + half.width >= 30);

  Warp turn;  // the file's right edge becomes the upper one
  turn.size = {1, kFileWidth, kFileHeight};
  turn.to_input = cv::Matx44d(0, -1, 0, kFileWidth, 1, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1);
  const auto turned = warped_batch({[&](const Extent&) { return turn; }});
  objects = nn::restore_objects(half_full(8, 30, 28, 50), turned, 0);
  CHECK(close(objects.at(0).box, {10, 8, 20, 20}));
  const auto upper = box_of_pixels(objects[0].mask);
  CHECK(upper.y <= 8);  // the left half of the turned image is the upper one of the file
  CHECK(upper.y + upper.height == 18);
  CHECK(objects[0].mask.bitmap().size() == cv::Size(kFileWidth, kFileHeight));
}

TEST_CASE("objects without masks have none, no objects are none, and a warp that cannot be inverted is refused") {
  auto batch = warped_batch({});
  auto found = half_full(10, 8, 30, 28);
  found.masks = at::Tensor();
  CHECK(nn::restore_objects(found, batch, 0).at(0).mask.empty());
  found = half_full(10, 8, 30, 28);
  for (auto* tensor : {&found.boxes, &found.scores, &found.classes, &found.masks}) *tensor = tensor->slice(0, 0, 0);
  CHECK(nn::restore_objects(found, batch, 0).empty());
  batch.truth[0].geometry.invertible = false;
  CHECK_THROWS_WITH_AS(nn::restore_objects(half_full(1, 1, 2, 2), batch, 0), doctest::Contains("cannot be inverted"),
                       DataError);
}
