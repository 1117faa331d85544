#include "overlay.h"

#include <limits>

#include <opencv2/core.hpp>
#include <opencv2/imgproc.hpp>

#include <sectile/error.h>
#include <sectile/sample.h>

namespace sectile {
namespace {

constexpr int kColorShare = 45;  // percent; the rest is the image
constexpr int kBorderShare = 85;
constexpr double kLargest = std::numeric_limits<float>::max();  // beyond: Inf or NaN

// Scales the range of finite values from black to white: 16-bit and float images rarely use their full range.
cv::Mat stretched(const cv::Mat& image) {
  const cv::Mat values = image.reshape(1);
  cv::Mat finite(values.size(), CV_8U, cv::Scalar(255));
  if (values.depth() == CV_32F) cv::inRange(values, -kLargest, kLargest, finite);
  double least = 0, most = 0;
  cv::minMaxLoc(values, &least, &most, nullptr, nullptr, finite);
  const double scale = most > least ? 255 / (most - least) : 1;
  cv::Mat bytes;
  image.convertTo(bytes, CV_8U, scale, -least * scale);
  bytes.reshape(1).setTo(0, ~finite);
  return bytes;
}

}  // namespace

// Of two, four and more channels, the first one as grayscale: their meaning is unknown.
cv::Mat shown_as_rgb(const cv::Mat& image) {
  cv::Mat shown = image;
  if (image.channels() != 1 && image.channels() != 3) cv::extractChannel(image, shown, 0);
  if (shown.depth() != CV_8U) shown = stretched(shown);
  if (shown.channels() == 3) return shown.clone();
  cv::Mat rgb;
  cv::cvtColor(shown, rgb, cv::COLOR_GRAY2RGB);
  return rgb;
}

Palette palette_of(const LabelMap& labels) {
  Palette palette;
  for (const auto& label : labels.classes) palette.push_back(label.color);
  return palette;
}

cv::Mat overlay(const cv::Mat& image, const cv::Mat& labels, const LabelMap& classes) {
  if (image.size() != labels.size()) throw DataError("overlay", "image and labels differ in size");
  cv::Mat result = shown_as_rgb(image);
  for (int y = 0; y < labels.rows; ++y) {
    const auto* row = labels.ptr<std::int16_t>(y);
    const auto* above = labels.ptr<std::int16_t>(std::max(y - 1, 0));
    auto* out = result.ptr<cv::Vec3b>(y);
    for (int x = 0; x < labels.cols; ++x) {
      const auto label = row[x];
      if (label < 0 || label >= static_cast<int>(classes.classes.size())) continue;
      const bool border = above[x] != label || row[std::max(x - 1, 0)] != label;
      const int share = border ? kBorderShare : kColorShare;
      const auto& color = classes.classes[static_cast<std::size_t>(label)].color;
      for (int c = 0; c < 3; ++c)
        out[x][c] =
            static_cast<std::uint8_t>((out[x][c] * (100 - share) + color[static_cast<std::size_t>(c)] * share) / 100);
    }
  }
  return result;
}

}  // namespace sectile
