// What goes wrong with annotation in other libraries when it is flipped, cropped, padded, resized or deformed: their
// reports, with the values that are right.
#include <sectile/transform.h>
#include <opencv2/core.hpp>

#include "support/test.h"
#include "support/warps.h"

using namespace sectile;
using namespace sectile::test;

namespace {

template <class T>
std::vector<T> values_of(const cv::Mat& map) {
  return {map.begin<T>(), map.end<T>()};
}

cv::Mat sixteen_bits() {
  return (cv::Mat_<std::uint16_t>(3, 4) << 26003, 300, 7, 65535, 256, 255, 0, 26010, 1, 512, 1000, 40000);
}

// Labels after a warp of a sample of the same size, with `fill` outside.
std::vector<std::int16_t> labels_after(Warp warp, const cv::Mat& labels, std::int16_t fill = kIgnore) {
  Sample sample;
  sample.image = cv::Mat(labels.size(), CV_8U, cv::Scalar(0));
  sample.labels = labels;
  warp.label_fill = fill;
  apply(warp, sample);
  return values_of<std::int16_t>(sample.labels);
}

}  // namespace

// Boxes are edges: with width - 1, they shift by a pixel.
// https://github.com/albumentations-team/albumentations/issues/1500
TEST_CASE("a flipped box is the box of the flipped mask, and positions go from x to width - x") {
  Sample sample;
  sample.image = cv::Mat(5, 7, CV_8U, cv::Scalar(0));
  cv::Mat mask = cv::Mat::zeros(5, 7, CV_8U);
  mask(cv::Rect(1, 1, 2, 3)) = cv::Scalar(1);
  for (const bool with_mask : {true, false}) {
    sample.instances.emplace_back();
    sample.instances.back().box = {1, 1, 2, 3};
    if (with_mask) sample.instances.back().mask = Mask(mask);
  }
  apply(Warp::flip({1, 5, 7}, 0), sample);
  REQUIRE(sample.instances.size() == 2);
  for (const auto& instance : sample.instances) CHECK(instance.box == cv::Rect2f(4, 1, 2, 3));
  cv::Mat flipped;
  cv::flip(mask, flipped, 1);
  CHECK(cv::norm(sample.instances[0].mask.bitmap(), flipped, cv::NORM_INF) == 0);
  const double there[] = {7, 1, 4.5, 0.1};
  const double here[] = {0, 6, 2.5, 6.9};
  for (int i = 0; i < 4; ++i)
    CHECK((sample.geometry.to_original * cv::Vec4d(here[i], 0.5, 0.5, 1))[0] == doctest::Approx(there[i]));
}

// Cast to 8 bits or to half precision, ids change: https://github.com/aleju/imgaug/issues/202
TEST_CASE("a map of 16 bits keeps its values through flips, crops, turns and enlargement") {
  const cv::Mat map = sixteen_bits();
  const Extent size{1, 3, 4};
  const auto after = [&](const Warp& warp) {
    const cv::Mat moved = warped(map, warp, Interpolation::nearest);
    REQUIRE(moved.type() == CV_16U);
    return values_of<std::uint16_t>(moved);
  };
  CHECK(after(Warp::flip(size, 0)) ==
        std::vector<std::uint16_t>{65535, 7, 300, 26003, 26010, 0, 255, 256, 40000, 1000, 512, 1});
  CHECK(after(Warp::crop(1, 0, 0, {1, 2, 3})) == std::vector<std::uint16_t>{300, 7, 65535, 255, 0, 26010});
  CHECK(after(turn(size, 1)) ==
        std::vector<std::uint16_t>{65535, 26010, 40000, 7, 0, 1000, 300, 255, 512, 26003, 256, 1});
  const auto doubled = after(Warp::resize(size, {1, 6, 8}));
  const auto values = values_of<std::uint16_t>(map);
  for (std::size_t y = 0; y < 6; ++y)
    for (std::size_t x = 0; x < 8; ++x) CHECK(doubled[8 * y + x] == values[4 * (y / 2) + x / 2]);
}

// OpenCV's INTER_NEAREST takes the pixel at the left edge of the new one, and shifts labels against the image:
// https://github.com/albumentations-team/albumentations/issues/850
TEST_CASE("resized labels are those at the centers of the new pixels") {
  struct Expected {
    int from;
    std::vector<std::int16_t> sources;
  };
  for (const auto& [from, sources] :
       {Expected{5, {0, 2, 4}}, Expected{4, {0, 0, 1, 2, 2, 3, 3}}, Expected{3, {0, 0, 0, 1, 1, 2, 2, 2}},
        Expected{6, {0, 2, 3, 5}}, Expected{10, {1, 3, 6, 8}}}) {
    CAPTURE(from);
    const int to = static_cast<int>(sources.size());
    cv::Mat row(1, from, CV_16S);
    for (int i = 0; i < from; ++i) row.at<std::int16_t>(0, i) = static_cast<std::int16_t>(i);
    CHECK(labels_after(Warp::resize({1, 1, from}, {1, 1, to}), row) == sources);
    CHECK(labels_after(Warp::resize({1, from, 1}, {1, to, 1}), row.t()) == sources);
  }
}

// Filled with 0, the border becomes a class that a model learns:
// https://github.com/open-mmlab/mmsegmentation/issues/2087
TEST_CASE("padding is ignored in labels, nothing in masks, and black in the image") {
  Sample sample;
  sample.image = (cv::Mat_<std::uint8_t>(2, 3) << 1, 2, 3, 4, 5, 6);
  sample.labels = (cv::Mat_<std::int16_t>(2, 3) << 0, 1, 2, 3, 0, kIgnore);
  sample.instances.emplace_back();
  sample.instances.back().mask = Mask(cv::Mat(2, 3, CV_8U, cv::Scalar(1)));
  apply(Warp::crop(0, 0, 0, {1, 4, 5}), sample);
  constexpr std::int16_t o = kIgnore;
  CHECK(values_of<std::int16_t>(sample.labels) ==
        std::vector<std::int16_t>{0, 1, 2, o, o, 3, 0, o, o, o, o, o, o, o, o, o, o, o, o, o});
  CHECK(values_of<std::uint8_t>(sample.image) ==
        std::vector<std::uint8_t>{1, 2, 3, 0, 0, 4, 5, 6, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0});
  CHECK(sample.instances.at(0).mask.area() == 6);
  CHECK(sample.instances.at(0).box == cv::Rect2f(0, 0, 3, 2));
}

// Interpolated, labels of 5 and 255 would mix to numbers that no class has:
// https://github.com/kornia/kornia/issues/2002
TEST_CASE("a displacement moves labels by the image's field, to the nearest pixel") {
  const cv::Mat labels = (cv::Mat_<std::int16_t>(4, 4) << 0, 0, 1, 1, 0, 5, 5, 1, 255, 5, 5, 9, 255, 255, 9, 9);
  // Of the centers of pixels, whose numbers they are in.
  const double source_x[] = {0.4, 1.4, 2.4, 3.4, -0.7, 0.3, 1.3, 2.3, 0.2, 1.2, 2.2, 3.2, -0.3, 0.7, 1.7, 2.7};
  const double source_y[] = {0.3, -0.2, 0.6, 0.2, 1.3, 0.8, 1.6, 1.2, 2.3, 1.8, 2.6, 2.2, 3.3, 2.8, 3.6, 3.2};
  Warp warp = Warp::crop(0, 0, 0, {1, 4, 4});
  warp.displacement = cv::Mat(4, 4, CV_32FC3, cv::Scalar::all(0));
  for (int i = 0; i < 16; ++i) {
    auto& shift = warp.displacement.at<cv::Vec3f>(i / 4, i % 4);
    shift[0] = static_cast<float>(source_x[i] - i % 4), shift[1] = static_cast<float>(source_y[i] - i / 4);
  }
  CHECK(labels_after(warp, labels, 255) ==
        std::vector<std::int16_t>{0, 0, 5, 1, 255, 0, 5, 5, 255, 5, 9, 9, 255, 255, 255, 9});
}

// With the last pixel's number as the end, a mask of one pixel has a box without width:
// https://github.com/pytorch/vision/issues/8793
TEST_CASE("a mask's box ends after its last pixel, and what has no pixel left is dropped") {
  cv::Mat block = cv::Mat::zeros(6, 8, CV_8U), dot = block.clone(), corners = block.clone(), none = block.clone();
  block(cv::Rect(1, 2, 3, 3)) = cv::Scalar(1);
  dot.at<std::uint8_t>(3, 6) = 1;
  corners.at<std::uint8_t>(0, 7) = corners.at<std::uint8_t>(5, 0) = 1;
  Sample sample;
  sample.image = cv::Mat(6, 8, CV_8U, cv::Scalar(0));
  for (const auto& mask : {block, dot, corners, none}) {
    sample.instances.emplace_back();
    sample.instances.back().id = static_cast<std::int64_t>(sample.instances.size());
    sample.instances.back().mask = Mask(mask);
  }
  apply(by_reference(Warp::crop(0, 0, 0, {1, 6, 8})), sample);
  REQUIRE(sample.instances.size() == 3);
  CHECK(sample.instances[0].box == cv::Rect2f(1, 2, 3, 3));
  CHECK(sample.instances[1].box == cv::Rect2f(6, 3, 1, 1));
  CHECK(sample.instances[2].box == cv::Rect2f(0, 0, 8, 6));
}

// Other libraries leave boxes where they are when an image is deformed, or move their corners alone.
TEST_CASE("after a displacement, a box without a mask is around the pixels that come from inside it") {
  const auto boxes_after = [](const Warp& warp, bool volume, const std::vector<cv::Rect2f>& boxes) {
    const int sizes[] = {2, 10, 12};
    Sample sample;
    sample.image = volume ? cv::Mat(3, sizes, CV_8U, cv::Scalar(0)) : cv::Mat(10, 12, CV_8U, cv::Scalar(0));
    for (const auto& box : boxes) {
      sample.instances.emplace_back();
      sample.instances.back().box = box;
    }
    apply(warp, sample);
    std::vector<cv::Rect2f> found;
    for (const auto& instance : sample.instances) found.push_back(instance.box);
    return found;
  };
  for (const bool volume : {false, true}) {
    CAPTURE(volume);
    const int sizes[] = {2, 10, 12};
    Warp shift = Warp::crop(0, 0, 0, {volume ? 2 : 1, 10, 12});
    shift.displacement = volume ? cv::Mat(3, sizes, CV_32FC3) : cv::Mat(10, 12, CV_32FC3);
    shift.displacement = cv::Scalar(-2, 1, 0);
    CHECK(boxes_after(shift, volume, {{3, 4, 4, 3}}) == std::vector<cv::Rect2f>{{5, 3, 4, 3}});
    CHECK(boxes_after(shift, volume, {{2.8f, 4.2f, 4, 3}}) == std::vector<cv::Rect2f>{{5, 3, 4, 3}});
    CHECK(boxes_after(shift, volume, {{3.1f, 4, 0.3f, 3}}) == std::vector<cv::Rect2f>{{5, 3, 1, 3}});  // thin
    CHECK(boxes_after(shift, volume, {{9, 0, 3, 3}}) == std::vector<cv::Rect2f>{{11, 0, 1, 2}});       // cut
    CHECK(boxes_after(shift, volume, {{10, 4, 2, 3}, {3, 0, 4, 1}, {20, 4, 5, 3}}).empty());           // pushed out
  }
  Warp stretch = Warp::crop(0, 0, 0, {1, 10, 12});
  stretch.displacement = cv::Mat(10, 12, CV_32FC3);
  for (int y = 0; y < 10; ++y)
    for (int x = 0; x < 12; ++x)
      stretch.displacement.at<cv::Vec3f>(y, x) = cv::Vec3f(-0.5f * (static_cast<float>(x) + 0.5f), 0, 0);
  CHECK(boxes_after(stretch, false, {{1, 2, 3, 5}}) == std::vector<cv::Rect2f>{{2, 2, 6, 5}});
}

// The ellipse that fills a box of 40 x 20, turned by 30 degrees, is sqrt(40^2 c^2 + 20^2 s^2) wide.
TEST_CASE("a box without a mask becomes the box of its moved ellipse where a warp says so") {
  const auto box_after = [](Warp warp, bool ellipse) {
    Sample sample;
    sample.image = cv::Mat(100, 100, CV_8U, cv::Scalar(0));
    sample.instances.emplace_back();
    sample.instances.back().box = {30, 40, 40, 20};
    warp.boxes_are_ellipses = ellipse;
    apply(warp, sample);
    return sample.instances.at(0).box;
  };
  const Extent size{1, 100, 100};
  const Warp turned = rotated(size, size, 30);
  const double c = std::cos(CV_PI / 6), s = 0.5;
  const auto tight = box_after(turned, true), wide = box_after(turned, false);
  CHECK(tight.width == doctest::Approx(std::hypot(40 * c, 20 * s)).epsilon(1e-5));
  CHECK(tight.height == doctest::Approx(std::hypot(40 * s, 20 * c)).epsilon(1e-5));
  CHECK(wide.width == doctest::Approx(40 * c + 20 * s).epsilon(1e-5));
  CHECK(wide.height == doctest::Approx(40 * s + 20 * c).epsilon(1e-5));
  for (const auto& box : {tight, wide}) {
    CHECK(box.x + box.width / 2 == doctest::Approx(50).epsilon(1e-5));
    CHECK(box.y + box.height / 2 == doctest::Approx(50).epsilon(1e-5));
  }
  // A perspective makes no ellipse of an ellipse around the same center: there, corners count.
  Warp viewed = Warp::crop(0, 0, 0, size);
  viewed.to_input(3, 0) = 0.001;
  CHECK(box_after(viewed, true) == box_after(viewed, false));
}
