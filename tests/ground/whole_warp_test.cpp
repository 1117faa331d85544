// Crops, flips and turns by whole pixels beside the rule for each pixel, and axes of which one alone is whole.
#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>
#include <vector>

#include <sectile/transform.h>
#include <opencv2/core.hpp>

#include "support/test.h"
#include "support/warps.h"

using namespace sectile;
using namespace sectile::test;

namespace {

// x and y of the source are sign * position + offset, of the result's x and y, or of its y and x.
struct Move {
  bool transposed = false;
  int x_sign = 1, y_sign = 1;
  double x_offset = 0, y_offset = 0;
};

Warp warp_of(const Move& move, const Extent& size) {
  Warp warp = Warp::crop(0, 0, 0, size);
  const int x = move.transposed ? 1 : 0, y = 1 - x;
  warp.to_input(0, 0) = warp.to_input(1, 1) = 0;
  warp.to_input(0, x) = move.x_sign, warp.to_input(0, 3) = move.x_offset;
  warp.to_input(1, y) = move.y_sign, warp.to_input(1, 3) = move.y_offset;
  return warp;
}

std::vector<Move> directions() {
  std::vector<Move> all;
  for (const bool transposed : {false, true})
    for (const int x_sign : {1, -1})
      for (const int y_sign : {1, -1}) all.push_back({transposed, x_sign, y_sign});
  return all;
}

// fill: of all bytes of a pixel.
cv::Mat moved_one_by_one(const cv::Mat& from, const Move& move, cv::Size size, int fill) {
  cv::Mat to(size, from.type());
  const std::size_t bytes = from.elemSize();
  for (int row = 0; row < size.height; ++row)
    for (int column = 0; column < size.width; ++column) {
      const double along_x = (move.transposed ? row : column) + 0.5, along_y = (move.transposed ? column : row) + 0.5;
      const double x = std::floor(move.x_sign * along_x + move.x_offset),
                   y = std::floor(move.y_sign * along_y + move.y_offset);
      const bool inside = x >= 0 && x < from.cols && y >= 0 && y < from.rows;
      if (inside)
        std::copy_n(from.ptr(static_cast<int>(y), static_cast<int>(x)), bytes, to.ptr(row, column));
      else
        std::fill_n(to.ptr(row, column), bytes, static_cast<uchar>(fill));
    }
  return to;
}

constexpr float kNaN = std::numeric_limits<float>::quiet_NaN();

}  // namespace

TEST_CASE("whole pixels come from where the rule says, and what lies outside at any side is filled") {
  const cv::Size window(4, 6);
  for (const int type : {CV_8UC1, CV_8UC3, CV_16SC1, CV_32FC3}) {
    const cv::Mat from = noise({7, 5}, type);
    const bool zero = type == CV_32FC3;  // has the same bytes in each type
    for (Move move : directions())
      for (int x = -8; x <= 15; ++x)
        for (int y = -8; y <= 13; ++y) {
          move.x_offset = x, move.y_offset = y;
          const cv::Mat found = warped(from, warp_of(move, {1, window.height, window.width}), Interpolation::linear,
                                       {zero               ? 0.
                                        : type == CV_16SC1 ? 0x0909
                                                           : 9.});
          if (difference(found, moved_one_by_one(from, move, window, zero ? 0 : 9)) == 0) continue;
          CAPTURE(move.transposed);
          CAPTURE(move.x_sign);
          CAPTURE(move.y_sign);
          CAPTURE(x);
          CAPTURE(y);
          FAIL_CHECK(cv::typeToString(type));
        }
  }
}

TEST_CASE("what is farther away than whole numbers reach is outside") {
  const cv::Mat from = noise({7, 5}, CV_8UC3);
  for (Move move : directions())
    for (const double far : {1e12, -1e12, 1e300, -1e300})
      for (const bool along_x : {true, false}) {
        CAPTURE(far);
        move.x_offset = along_x ? far : 0, move.y_offset = along_x ? 0 : far;
        const cv::Mat found = warped(from, warp_of(move, {1, 6, 4}), Interpolation::linear, {9});
        CHECK(difference(found, cv::Mat(6, 4, CV_8UC3, cv::Scalar::all(9))) == 0);
      }
}

TEST_CASE("NaN does not spread along the axis that is moved by whole pixels") {
  const cv::Mat from = (cv::Mat_<float>(4, 4) << 0, kNaN, 10, 20, 2, kNaN, 12, 22, 4, kNaN, 14, 24, 6, kNaN, 16, 26);
  for (const auto how : {Interpolation::linear, Interpolation::cubic})
    for (const bool mirrored : {false, true})
      for (const bool upright : {true, false}) {
        CAPTURE(mirrored);
        CAPTURE(upright);
        Move move{.x_sign = mirrored ? -1 : 1, .x_offset = mirrored ? 4. : 0, .y_offset = 0.5};
        if (!upright) std::swap(move.x_sign, move.y_sign), std::swap(move.x_offset, move.y_offset);
        cv::Mat found = warped(upright ? from : cv::Mat(from.t()), warp_of(move, {1, 4, 4}), how);
        if (!upright) found = found.t();
        if (mirrored) cv::flip(found, found, 1);
        for (int y = 0; y < 3; ++y) CHECK(std::isnan(found.at<float>(y, 1)));
        for (const int x : {0, 2, 3}) CHECK(found.at<float>(1, x) == from.at<float>(1, x) + 1);  // half way to the next
      }
}

TEST_CASE("a warp that leads everywhere to one position shows its pixel everywhere") {
  const cv::Mat from = noise({7, 5}, CV_8UC3);
  Warp warp = Warp::crop(0, 0, 0, {1, 3, 4});
  warp.to_input(0, 0) = warp.to_input(1, 1) = 0;
  warp.to_input(0, 3) = 5.5, warp.to_input(1, 3) = 1.5;
  for (const auto how : {Interpolation::nearest, Interpolation::linear}) {
    const cv::Vec3b pixel = from.at<cv::Vec3b>(1, 5);
    CHECK(difference(warped(from, warp, how), cv::Mat(3, 4, CV_8UC3, cv::Scalar(pixel))) == 0);
  }
}
