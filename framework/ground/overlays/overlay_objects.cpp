#include <algorithm>
#include <cmath>
#include <cstdio>

#include <opencv2/core.hpp>
#include <opencv2/imgproc.hpp>

#include <sectile/data/colors.h>
#include <sectile/error.h>

#include "overlay.h"

namespace sectile {
namespace {

constexpr double kMaskShare = 0.45;  // of the color; the rest is the image
constexpr double kLineShare = 0.9;

cv::Scalar color_of(std::size_t index) {
  const auto color = distinct_color(static_cast<int>(index));
  return {double(color[0]), double(color[1]), double(color[2])};
}

void blend(cv::Mat& image, const cv::Mat& mask, const cv::Scalar& color, double share) {
  const cv::Mat plain(image.size(), image.type(), color);
  cv::Mat mixed;
  cv::addWeighted(image, 1 - share, plain, share, 0, mixed);
  mixed.copyTo(image, mask);
}

void draw_mask(cv::Mat& image, const Instance& object, const cv::Scalar& color) {
  const cv::Mat mask = object.mask.bitmap();
  if (mask.size() != image.size()) throw DataError("overlay", "the image and the mask of an object differ in size");
  const cv::Rect part = cv::boundingRect(mask);
  if (part.empty()) return;
  cv::Mat of_image = image(part);
  const cv::Mat inside = mask(part) != 0;
  cv::Mat padded, core;
  cv::copyMakeBorder(inside, padded, 1, 1, 1, 1, cv::BORDER_CONSTANT, cv::Scalar(0));
  cv::erode(padded, core, cv::getStructuringElement(cv::MORPH_CROSS, {3, 3}));
  core = core(cv::Rect(1, 1, part.width, part.height)).clone();
  blend(of_image, inside, color, kMaskShare);
  blend(of_image, inside & ~core, color, kLineShare);
}

// OpenCV's font has no letters but ASCII's.
std::string printable(const std::string& name) {
  std::string text;
  for (const char c : name) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte < 0x80)
      text += byte < ' ' ? ' ' : c;
    else if ((byte & 0xC0) != 0x80)  // the first byte of a letter
      text += '?';
  }
  return text;
}

constexpr int kFont = cv::FONT_HERSHEY_SIMPLEX;

// Texts of small objects would hide them and their neighbors: the score alone, or nothing.
std::string fitting_text(const Instance& object, const std::string& name, double scale, Scores scores) {
  char score[16];
  std::snprintf(score, sizeof score, "%.2f", static_cast<double>(object.score));
  std::vector<std::string> texts{printable(name)};
  if (scores == Scores::shown) texts = {texts[0] + " " + score, score};
  for (const auto& text : texts) {
    int below = 0;
    const auto size = cv::getTextSize(text, kFont, scale, 1, &below);
    const auto width = static_cast<float>(size.width), height = static_cast<float>(size.height + below);
    const auto& box = object.box;
    if (width <= 2 * box.width && 2 * width * height <= box.width * box.height) return text;
  }
  return "";
}

// Above the box, or within it at the upper edge of the image; always within the image's width.
void draw_text(cv::Mat& image, const std::string& text, const cv::Point& box, double scale, const cv::Scalar& color) {
  int below = 0;
  const auto size = cv::getTextSize(text, kFont, scale, 1, &below);
  const int height = size.height + below + 2;
  const cv::Point corner(std::max(0, std::min(box.x, image.cols - size.width - 2)),
                         box.y >= height ? box.y - height : box.y);
  cv::rectangle(image, corner, corner + cv::Point(size.width + 2, height), color, cv::FILLED);
  const bool is_bright = 0.3 * color[0] + 0.6 * color[1] + 0.1 * color[2] > 128;
  cv::putText(image, text, corner + cv::Point(1, size.height + 1), kFont, scale, cv::Scalar::all(is_bright ? 0 : 255),
              1, cv::LINE_AA);
}

void draw_box(cv::Mat& image, const Instance& object, const std::string& name, const cv::Scalar& color, Scores scores) {
  const double scale = std::clamp(std::min(image.rows, image.cols) / 1200., 0.35, 1.2);
  const auto at = [](float position, int most) {
    return static_cast<int>(std::lround(std::clamp(position, 0.f, static_cast<float>(most))));
  };
  const auto& box = object.box;
  const cv::Point first(at(box.x, image.cols - 1), at(box.y, image.rows - 1));
  const cv::Point last(at(box.x + box.width - 1, image.cols - 1), at(box.y + box.height - 1, image.rows - 1));
  cv::rectangle(image, first, last, color, std::max(1, static_cast<int>(std::lround(scale * 2))));
  if (const auto text = fitting_text(object, name, scale, scores); !text.empty())
    draw_text(image, text, first, scale, color);
}

}  // namespace

cv::Mat overlay(const cv::Mat& image, const std::vector<Instance>& objects, const LabelMap& classes, Scores scores) {
  cv::Mat result = shown_as_rgb(image);
  for (auto i = objects.size(); i-- > 0;)
    if (!objects[i].mask.empty()) draw_mask(result, objects[i], color_of(i));
  const bool named = scores == Scores::shown || classes.classes.size() > 1;  // the only class needs no name
  for (auto i = objects.size(); i-- > 0;) {
    const auto category = static_cast<std::size_t>(objects[i].category);
    if (category >= classes.classes.size()) throw DataError("overlay", "an object has a class number out of range");
    draw_box(result, objects[i], named ? classes.classes[category].name : "", color_of(i), scores);
  }
  return result;
}

}  // namespace sectile
