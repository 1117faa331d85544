#include <sectile/error.h>
#include <sectile/random.h>
#include <sectile/transform.h>
#include <opencv2/core.hpp>
#include <opencv2/imgproc.hpp>

#include "support/test.h"

using sectile::Extent;
using sectile::Sample;
using sectile::Warp;

namespace {

cv::Mat noise(cv::Size size, int type, std::uint64_t seed = 1) {
  sectile::Random random{seed};
  cv::Mat pixels(size, type);
  for (int y = 0; y < size.height; ++y)
    for (int i = 0; i < size.width * pixels.channels(); ++i) {
      const auto value = random.bits();
      switch (pixels.depth()) {
        case CV_8U:
          pixels.ptr<std::uint8_t>(y)[i] = static_cast<std::uint8_t>(value);
          break;
        case CV_16U:
          pixels.ptr<std::uint16_t>(y)[i] = static_cast<std::uint16_t>(value);
          break;
        case CV_16S:
          pixels.ptr<std::int16_t>(y)[i] = static_cast<std::int16_t>(value);
          break;
        case CV_32S:
          pixels.ptr<std::int32_t>(y)[i] = static_cast<std::int32_t>(value % 1000);
          break;
        default:
          pixels.ptr<float>(y)[i] = static_cast<float>(value % 100000) / 1000.f;
      }
    }
  return pixels;
}

// A displacement, even of zero, is work for the reference sampler only.
Warp by_reference(Warp warp) {
  warp.displacement = cv::Mat(warp.size.height, warp.size.width, CV_32FC3, cv::Scalar::all(0));
  return warp;
}

double difference(const cv::Mat& a, const cv::Mat& b) { return cv::norm(a, b, cv::NORM_INF); }

Warp turn(const Extent& size, int quarters) {  // by so many quarters, against the clock
  Warp warp;
  warp.size = quarters % 2 ? Extent{1, size.width, size.height} : size;
  const double w = size.width, h = size.height;
  if (quarters == 1) warp.to_input = {0, -1, 0, w, 1, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1};
  if (quarters == 2) warp.to_input = {-1, 0, 0, w, 0, -1, 0, h, 0, 0, 1, 0, 0, 0, 0, 1};
  if (quarters == 3) warp.to_input = {0, 1, 0, 0, -1, 0, 0, h, 0, 0, 1, 0, 0, 0, 0, 1};
  return warp;
}

struct Case {
  const char* name;
  Warp warp;
  bool whole;  // pixels are moved, not mixed
};

std::vector<Case> cases(const Extent& size) {
  Warp scale_and_crop = Warp::resize(size, {1, 40, 50});
  scale_and_crop.to_input(0, 3) = 3.3, scale_and_crop.to_input(1, 3) = -4.7;
  Warp mirrored = Warp::resize(size, {1, 11, 70});
  mirrored.to_input(0, 0) *= -1, mirrored.to_input(0, 3) = size.width;
  Warp scaled_turn = turn(size, 1);
  scaled_turn.to_input = scaled_turn.to_input * cv::Matx44d::diag({0.7, 1.3, 1, 1});
  Warp half = Warp::crop(0, 0, 0, size);
  half.to_input(0, 3) = 0.5;
  return {{"identity", Warp::crop(0, 0, 0, size), true},
          {"crop", Warp::crop(5, 3, 0, {1, 12, 9}), true},
          {"pad", Warp::crop(-5, -3, 0, {1, 60, 70}), true},
          {"crop and pad", Warp::crop(-4, 8, 0, {1, 90, 10}), true},
          {"wholly outside", Warp::crop(500, 8, 0, {1, 7, 10}), true},
          {"flip x", Warp::flip(size, 0), true},
          {"flip y", Warp::flip(size, 1), true},
          {"turn 1", turn(size, 1), true},
          {"turn 2", turn(size, 2), true},
          {"turn 3", turn(size, 3), true},
          {"shrink", Warp::resize(size, {1, 17, 13}), false},
          {"grow", Warp::resize(size, {1, 95, 111}), false},
          {"double", Warp::resize(size, {1, 2 * size.height, 2 * size.width}), false},
          {"to one pixel", Warp::resize(size, {1, 1, 1}), false},
          {"scale and crop", scale_and_crop, false},
          {"mirror and scale", mirrored, false},
          {"turn and scale", scaled_turn, false},
          {"half a pixel", half, false}};
}

}  // namespace

TEST_CASE("moved pixels and labels are exactly those of the reference sampler") {
  for (const int type : {CV_8UC1, CV_8UC3, CV_8UC4, CV_16UC1, CV_16SC1, CV_32FC1, CV_32FC3, CV_16UC3, CV_8UC(7)}) {
    const Extent size{1, 31, 43};
    for (auto& [name, warp, whole] : cases(size)) {
      CAPTURE(std::string(name));
      CAPTURE(cv::typeToString(type));
      Sample fast;
      fast.image = noise({43, 31}, type);
      fast.labels = noise({43, 31}, CV_16SC1, 2);
      fast.segment_ids = noise({43, 31}, CV_32SC1, 3);
      warp.image_fill = 7;
      Sample slow = fast;
      slow.image = fast.image.clone();
      apply(warp, fast);
      apply(by_reference(warp), slow);
      REQUIRE(fast.image.size() == cv::Size(warp.size.width, warp.size.height));
      CHECK(difference(fast.labels, slow.labels) == 0);
      CHECK(difference(fast.segment_ids, slow.segment_ids) == 0);
      const double allowed = whole ? 0 : fast.image.depth() == CV_32F ? 5e-4 : 1;
      CHECK(difference(fast.image, slow.image) <= allowed);
    }
  }
}

TEST_CASE("a part of a larger picture is warped like a picture of its own") {
  const cv::Mat large = noise({60, 50}, CV_8UC3);
  for (auto& [name, warp, whole] : cases({1, 31, 43})) {
    CAPTURE(std::string(name));
    Sample part, own;
    part.image = large(cv::Rect(4, 6, 43, 31));
    own.image = part.image.clone();
    apply(warp, part);
    apply(warp, own);
    CHECK(difference(part.image, own.image) == 0);
  }
}

TEST_CASE("resizing follows OpenCV's INTER_LINEAR, up and down") {
  for (const cv::Size to : {cv::Size(90, 70), cv::Size(20, 13), cv::Size(43, 15)})
    for (const int type : {CV_8UC3, CV_8UC1, CV_16UC1, CV_32FC1}) {
      Sample sample;
      sample.image = noise({43, 31}, type);
      cv::Mat wanted;
      cv::resize(sample.image, wanted, to, 0, 0, cv::INTER_LINEAR);
      apply(Warp::resize({1, 31, 43}, {1, to.height, to.width}), sample);
      CHECK(difference(sample.image, wanted) <= (type == CV_32FC1 ? 1e-3 : 1));
    }
}

TEST_CASE("a volume goes through the reference sampler") {
  const int sizes[] = {2, 3, 4};
  Sample sample;
  sample.image = cv::Mat(3, sizes, CV_16S);
  for (int i = 0; i < 24; ++i) sample.image.ptr<std::int16_t>()[i] = static_cast<std::int16_t>(i);
  apply(Warp::flip({2, 3, 4}, 2), sample);
  CHECK(sample.image.at<std::int16_t>(0, 0, 0) == 12);
  apply(Warp::crop(1, 2, 0, {2, 1, 2}), sample);
  CHECK(sectile::extent(sample.image) == Extent{2, 1, 2});
  CHECK(sample.image.at<std::int16_t>(1, 0, 1) == 2 * 4 + 2);
}

TEST_CASE("a size of zero and annotation of another size are errors that name the sample") {
  Sample sample;
  sample.id = "street";
  sample.image = cv::Mat(4, 6, CV_8U, 1.0);
  CHECK_THROWS_WITH_AS(apply(Warp::resize({1, 4, 6}, {1, 0, 3}), sample),
                       doctest::Contains("street: would become 0 x 3 pixels"), sectile::DataError);
  sample.labels = cv::Mat(4, 5, CV_16S, 0.0);
  CHECK_THROWS_WITH_AS(apply(Warp::flip({1, 4, 6}, 0), sample),
                       doctest::Contains("labels of 4 x 5 pixels belong to a picture of 4 x 6"), sectile::DataError);
}

TEST_CASE("warps in a row lead positions back to the file") {
  Sample sample;
  sample.image = cv::Mat(40, 60, CV_8U, 0.0);
  apply(Warp::resize({1, 40, 60}, {1, 80, 120}), sample);
  apply(Warp::crop(10, 20, 0, {1, 30, 50}), sample);
  apply(Warp::flip({1, 30, 50}, 0), sample);
  const auto at = sample.geometry.to_original * cv::Vec4d(1, 2, 0.5, 1);  // x 1 of the flip is 49 of the crop
  CHECK(at[0] == doctest::Approx((49 + 10) / 2.0));
  CHECK(at[1] == doctest::Approx((2 + 20) / 2.0));
  CHECK(sample.geometry.original == Extent{1, 40, 60});
  CHECK(sample.geometry.invertible);
}
