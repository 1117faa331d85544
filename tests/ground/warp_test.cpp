// What a warp does to the pixels and the annotation of an image.
#include <sectile/error.h>
#include <sectile/transform.h>
#include <opencv2/core.hpp>
#include <opencv2/imgproc.hpp>

#include "support/test.h"
#include "support/warps.h"

using namespace sectile;
using namespace sectile::test;

namespace {

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

cv::Mat smooth(cv::Size size) {
  cv::Mat made(size, CV_32F);
  for (int y = 0; y < size.height; ++y)
    for (int x = 0; x < size.width; ++x)
      made.at<float>(y, x) = static_cast<float>(100 * std::sin(x * 0.3) * std::cos(y * 0.2));
  return made;
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
      warp.image_fill = {7};
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

TEST_CASE("a part of a larger image is warped like an image of its own") {
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
                       doctest::Contains("labels of 4 x 5 pixels belong to an image of 4 x 6"), sectile::DataError);
}

TEST_CASE("a result of too many pixels is refused before any memory is taken for it") {
  Sample sample;
  sample.id = "huge";
  sample.image = cv::Mat(2, 2, CV_8U, cv::Scalar(1));
  CHECK_THROWS_WITH_AS(apply(Warp::crop(0, 0, 0, {1, 1 << 20, 1 << 20}), sample),
                       doctest::Contains("huge: would become 1048576 x 1048576 pixels, and up to 536870912 are"),
                       DataError);
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

TEST_CASE("cubic pixels of crops, flips, turns and resizes are those of the reference sampler") {
  for (const int type : {CV_8UC1, CV_8UC3, CV_16UC1, CV_16SC1, CV_32FC3, CV_8UC(7)})
    for (auto& [name, warp, whole] : cases({1, 31, 43})) {
      CAPTURE(std::string(name));
      CAPTURE(cv::typeToString(type));
      const cv::Mat pixels = noise({43, 31}, type);
      const Warp cubic = with(warp, Interpolation::cubic);
      // OpenCV, which resizes whole images, has weights of 11 bits for 8U.
      const double allowed = whole ? 0 : pixels.depth() == CV_32F ? 2e-3 : pixels.depth() == CV_8U ? 2 : 16;
      CHECK(difference(image_after(cubic, pixels), image_after(by_reference(cubic), pixels)) <= allowed);
    }
}

TEST_CASE("values between pixels are those worked out by hand") {
  const cv::Mat row = (cv::Mat_<float>(1, 6) << 0, 0, 100, 0, 50, 60);
  Warp half = Warp::crop(0, 0, 0, {1, 1, 4});
  half.to_input(0, 3) = 0.5;
  // Keys' weights half way with a = -0.75: -0.09375, 0.59375, 0.59375, -0.09375.
  const cv::Mat cubic = image_after(with(half, Interpolation::cubic), row);
  CHECK(cubic.at<float>(0, 0) == doctest::Approx(-9.375f));  // the first pixel stands for the one before it
  CHECK(cubic.at<float>(0, 1) == doctest::Approx(59.375f));
  CHECK(cubic.at<float>(0, 2) == doctest::Approx(59.375f - 0.09375f * 50));
  const cv::Mat by_turning = image_after(with(by_reference(half), Interpolation::cubic), row);
  CHECK(difference(cubic, by_turning) < 1e-4);
  Warp doubled = Warp::crop(0, 0, 0, {1, 1, 2});
  doubled.to_input(0, 0) = 2, doubled.to_input(0, 3) = 1;  // pixels [1, 3) and [3, 5)
  const cv::Mat area = image_after(with(doubled, Interpolation::area), row);
  CHECK(area.at<float>(0, 0) == 50);
  CHECK(area.at<float>(0, 1) == 25);
  Warp odd = Warp::crop(0, 0, 0, {1, 1, 2});
  odd.to_input(0, 0) = 2.5, odd.to_input(0, 3) = -0.5;  // [-0.5, 2) of which [0, 2) is there, and [2, 4.5)
  const cv::Mat parts = image_after(with(odd, Interpolation::area), row);
  CHECK(parts.at<float>(0, 0) == 0);
  CHECK(parts.at<float>(0, 1) == doctest::Approx((100 + 0 + 0.5 * 50) / 2.5));
  const cv::Mat nearest = image_after(with(doubled, Interpolation::nearest), row);
  CHECK(nearest.at<float>(0, 0) == 100);  // at 2.0
  CHECK(nearest.at<float>(0, 1) == 50);   // at 4.0
}

TEST_CASE("resizing follows OpenCV's INTER_CUBIC and, where it shrinks, INTER_AREA") {
  for (const int type : {CV_8UC3, CV_16UC1, CV_16SC1, CV_32FC1})
    for (const cv::Size to : {cv::Size(20, 13), cv::Size(43, 15), cv::Size(90, 70), cv::Size(21, 40)}) {
      const cv::Mat pixels = noise({43, 31}, type);
      const Warp resize = Warp::resize({1, 31, 43}, {1, to.height, to.width});
      cv::Mat wanted;
      cv::resize(pixels, wanted, to, 0, 0, cv::INTER_CUBIC);
      CHECK(difference(image_after(with(resize, Interpolation::cubic), pixels), wanted) == 0);
      const bool shrinks = to.width <= 43 && to.height <= 31;
      if (shrinks)
        cv::resize(pixels, wanted, to, 0, 0, cv::INTER_AREA);
      else
        wanted = image_after(resize, pixels);
      CHECK(difference(image_after(with(resize, Interpolation::area), pixels), wanted) == 0);
    }
}

TEST_CASE("an area that was resized, cut, mirrored and turned at once is that of OpenCV's steps") {
  for (const int type : {CV_8UC3, CV_16UC1, CV_32FC1, CV_8UC(7)})
    for (const cv::Size to : {cv::Size(20, 13), cv::Size(31, 9), cv::Size(43, 31)}) {
      CAPTURE(cv::typeToString(type));
      const cv::Mat pixels = noise({43, 31}, type);
      std::vector<cv::Mat> planes;  // OpenCV takes four channels at most
      cv::split(pixels, planes);
      for (auto& plane : planes) cv::resize(plane, plane, to, 0, 0, cv::INTER_AREA);
      cv::Mat small;
      cv::merge(planes, small);
      const Extent size{1, to.height, to.width}, part{1, 7, 11};
      const Warp resize = with(Warp::resize({1, 31, 43}, size), Interpolation::area);
      const double allowed = type == CV_32FC1 ? 1e-3 : 1;
      CHECK(difference(image_after(resize, pixels), small) <= allowed);
      const cv::Mat cut = small(cv::Rect(3, 2, 11, 7));
      CHECK(difference(image_after(fused(resize, Warp::crop(3, 2, 0, part)), pixels), cut) <= allowed);
      const Warp mirrored = fused(fused(resize, Warp::crop(3, 2, 0, part)), Warp::flip(part, 0));
      CHECK(difference(image_after(mirrored, pixels), image_after(Warp::flip(part, 0), cut)) <= allowed);
      const Warp turned = fused(mirrored, turn(part, 1));
      CHECK(difference(image_after(turned, pixels),
                       image_after(turn(part, 1), image_after(Warp::flip(part, 0), cut))) <= allowed);
    }
}

TEST_CASE("a slanted warp follows OpenCV's warpAffine") {
  const cv::Mat pixels = smooth({60, 50});
  const Warp warp = rotated({1, 50, 60}, {1, 30, 34}, 25);  // all of it comes from inside
  const auto& m = warp.to_input;
  // OpenCV counts from the centre of the first pixel, and rounds positions to 1/32.
  const cv::Mat matrix = (cv::Mat_<double>(2, 3) << m(0, 0), m(0, 1), m(0, 3) + (m(0, 0) + m(0, 1) - 1) / 2, m(1, 0),
                          m(1, 1), m(1, 3) + (m(1, 0) + m(1, 1) - 1) / 2);
  for (const auto& [how, flag] : {std::pair(Interpolation::nearest, int{cv::INTER_NEAREST}),
                                  {Interpolation::linear, cv::INTER_LINEAR},
                                  {Interpolation::cubic, cv::INTER_CUBIC},
                                  {Interpolation::area, cv::INTER_LINEAR}}) {
    cv::Mat wanted;
    cv::warpAffine(pixels, wanted, matrix, {34, 30}, flag | cv::WARP_INVERSE_MAP, cv::BORDER_REPLICATE);
    const cv::Mat found = image_after(with(warp, how), pixels);
    if (how == Interpolation::nearest)  // but for positions near the border of two pixels
      CHECK(cv::countNonZero(found != wanted) < 34 * 30 / 10);
    else
      CHECK(difference(found, wanted) < 1.5);  // 1/64 pixel, of a slope up to 30
  }
}

TEST_CASE("what lies outside is filled per channel, and labels with ignore or a class") {
  Sample sample = image_of(cv::Mat(2, 2, CV_8UC3, cv::Scalar(1, 2, 3)));
  sample.labels = cv::Mat(2, 2, CV_16S, cv::Scalar(1));
  sample.segment_ids = cv::Mat(2, 2, CV_32S, cv::Scalar(5));
  sample.targets["border"] = cv::Mat(2, 2, CV_16S, cv::Scalar(1));
  Warp warp = Warp::crop(-1, 0, 0, {1, 2, 3});
  warp.image_fill = {7, 8, 9};
  warp.label_fill = 2;
  for (const bool reference : {false, true}) {
    Sample padded = sample;
    apply(reference ? by_reference(warp) : warp, padded);
    CHECK(padded.image.at<cv::Vec3b>(1, 0) == cv::Vec3b(7, 8, 9));
    CHECK(padded.image.at<cv::Vec3b>(1, 1) == cv::Vec3b(1, 2, 3));
    CHECK(padded.labels.at<std::int16_t>(0, 0) == 2);
    CHECK(padded.labels.at<std::int16_t>(0, 1) == 1);
    CHECK(padded.segment_ids.at<std::int32_t>(0, 0) == 0);
    CHECK(padded.targets["border"].at<std::int16_t>(0, 0) == sectile::kIgnore);
  }
  sample.labels = cv::Mat(2, 2, CV_32FC3, cv::Scalar(0.5, 0, 1));
  Sample per_class = sample;
  apply(warp, per_class);
  CHECK(per_class.labels.at<cv::Vec3f>(0, 0) == cv::Vec3f(0, 0, 1));
  CHECK(per_class.labels.at<cv::Vec3f>(0, 1) == cv::Vec3f(0.5, 0, 1));
  warp.label_fill = sectile::kIgnore;
  per_class = sample;
  apply(warp, per_class);
  CHECK(per_class.labels.at<cv::Vec3f>(0, 0) == cv::Vec3f(-1, -1, -1));
  warp.label_fill = 3;
  CHECK_THROWS_WITH_AS(apply(warp, sample), doctest::Contains("street: has labels of 3 classes, and class 3 to fill"),
                       sectile::DataError);
  warp.label_fill = 0;
  warp.image_fill = {7, 8};
  CHECK_THROWS_WITH_AS(
      apply(warp, sample),
      doctest::Contains("street: has 3 channels, and \"fill\" 2 values: give one for all, or one for each"),
      sectile::DataError);
}

TEST_CASE("targets of real numbers are moved linearly, those of class numbers by nearest pixel") {
  Sample sample;
  sample.image = cv::Mat(1, 2, CV_8U, cv::Scalar(0));
  sample.targets["distance"] = cv::Mat(1, 2, CV_32F, cv::Scalar(0));
  sample.targets["distance"].at<float>(0, 1) = 8;
  sample.targets["class"] = cv::Mat(1, 2, CV_16S, cv::Scalar(0));
  sample.targets["class"].at<std::int16_t>(0, 1) = 8;
  apply(Warp::resize({1, 1, 2}, {1, 1, 4}), sample);
  const float linear[] = {0, 2, 6, 8};
  for (int x = 0; x < 4; ++x) {
    CHECK(sample.targets["distance"].at<float>(0, x) == linear[x]);
    CHECK(sample.targets["class"].at<std::int16_t>(0, x) == (x < 2 ? 0 : 8));
  }
}

TEST_CASE("a map alone is moved as a sample's is") {
  const cv::Mat map = noise({43, 31}, CV_32FC3);
  for (auto& [name, warp, whole] : cases({1, 31, 43})) {
    CAPTURE(std::string(name));
    warp.image_fill = {4, 5, 6};
    CHECK(difference(sectile::warped(map, warp, Interpolation::linear, {4, 5, 6}), image_after(warp, map)) == 0);
  }
  CHECK(sectile::warped(map, Warp::crop(-1, 0, 0, {1, 2, 2}), Interpolation::nearest).at<cv::Vec3f>(0, 0) ==
        cv::Vec3f(0, 0, 0));
  CHECK_THROWS_WITH_AS(sectile::warped(map, Warp::crop(0, 0, 0, {1, 2, 2}), Interpolation::nearest, {1, 2}),
                       doctest::Contains("3 channels, and \"fill\" 2 values"), sectile::DataError);
}

TEST_CASE("rows of any width and pixel size are mirrored, with what lies outside") {
  for (const int type : {CV_8UC1, CV_8UC3, CV_16SC1, CV_8UC4, CV_32FC3})
    for (int width = 1; width <= 70; ++width) {
      CAPTURE(cv::typeToString(type));
      CAPTURE(width);
      const cv::Mat from = noise({width, 5}, type);
      for (const bool upside_down : {false, true}) {
        Warp warp = Warp::flip({1, 5, width}, 0);
        if (upside_down) warp = fused(warp, Warp::flip(warp.size, 1));
        warp = fused(warp, Warp::crop(-1, 1, 0, {1, 5, width + 3}));  // a column before the image, and two behind it
        warp.stages.clear();
        const cv::Mat found = warped(from, warp, Interpolation::linear, {9});
        cv::Mat wanted(5, width + 3, type, cv::Scalar::all(9)), mirrored;
        cv::flip(from, mirrored, upside_down ? -1 : 1);
        mirrored.rowRange(1, 5).copyTo(wanted(cv::Rect(1, 0, width, 4)));
        CHECK(difference(found, wanted) == 0);
      }
    }
}

TEST_CASE("small images of 8 bits are interpolated as by the reference sampler, up to their edge") {
  for (const cv::Size size : {cv::Size(1, 1), cv::Size(1, 9), cv::Size(9, 1), cv::Size(2, 2), cv::Size(5, 3)})
    for (const int type : {CV_8UC3, CV_8UC4})
      for (auto& [name, warp, whole] : cases({1, size.height, size.width})) {
        CAPTURE(std::string(name));
        CAPTURE(size.width);
        const cv::Mat large = noise(size + cv::Size(4, 4), type), part = large(cv::Rect({4, 4}, size));
        const cv::Mat found = warped(part, warp, Interpolation::linear, {7});
        CHECK(difference(found, warped(part, by_reference(warp), Interpolation::linear, {7})) <= (whole ? 0 : 1));
        CHECK(difference(found, warped(part.clone(), warp, Interpolation::linear, {7})) == 0);
      }
}
