#include "overlay.h"

#include <opencv2/core.hpp>
#include <opencv2/imgproc.hpp>

#include <sectile/error.h>
#include <sectile/sample.h>

namespace sectile {
namespace {

constexpr int kColorShare = 45;  // percent; the rest is the picture's own
constexpr int kBorderShare = 85;

cv::Mat as_rgb(const cv::Mat& picture) {
  cv::Mat bytes = picture;
  if (picture.depth() != CV_8U) {  // 16-bit and float pictures rarely fill their range: stretch what is there
    double least = 0, most = 0;
    cv::minMaxLoc(picture.reshape(1), &least, &most);
    const double scale = most > least ? 255 / (most - least) : 1;
    picture.convertTo(bytes, CV_8U, scale, -least * scale);
  }
  if (bytes.channels() == 3) return bytes;
  cv::Mat first, rgb;
  cv::extractChannel(bytes, first, 0);
  cv::cvtColor(first, rgb, cv::COLOR_GRAY2RGB);
  return rgb;
}

}  // namespace

Palette palette_of(const LabelMap& labels) {
  Palette palette;
  for (const auto& label : labels.classes) palette.push_back(label.color);
  return palette;
}

cv::Mat overlay(const cv::Mat& picture, const cv::Mat& labels, const LabelMap& classes) {
  if (picture.size() != labels.size()) throw DataError("overlay", "picture and labels differ in size");
  cv::Mat result = as_rgb(picture).clone();
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
