#include <algorithm>
#include <string>
#include <utility>

#include <opencv2/core.hpp>

#include <sectile/error.h>
#include <sectile/sample.h>

namespace sectile {
namespace {

// Run lengths are read from files: they must not exceed the image.
void check(const Rle& rle) {
  const auto pixels = std::int64_t{rle.size.width} * rle.size.height;
  std::int64_t covered = 0;
  for (const auto count : rle.counts) covered += count;
  if (rle.size.width < 0 || rle.size.height < 0 || (covered != pixels && covered != 0))
    throw DataError("mask", "run lengths cover " + std::to_string(covered) + " pixels of an image of " +
                                std::to_string(rle.size.height) + " x " + std::to_string(rle.size.width));
}

}  // namespace

Mask::Mask(Rle rle) : form_(std::move(rle)) {}
Mask::Mask(Polygons polygons) : form_(std::move(polygons)) {}
Mask::Mask(cv::Mat bitmap) : form_(std::move(bitmap)) {}
bool Mask::empty() const { return form_.index() == 0; }

cv::Mat Mask::bitmap() const {
  if (const auto* rle = std::get_if<Rle>(&form_)) {
    check(*rle);
    cv::Mat columns(rle->size.width, rle->size.height, CV_8U, cv::Scalar(0));
    std::size_t at = 0;
    for (std::size_t i = 0; i < rle->counts.size(); at += rle->counts[i++])
      if (i % 2) std::fill_n(columns.data + at, rle->counts[i], std::uint8_t{1});
    return columns.t();
  }
  if (const auto* polygons = std::get_if<Polygons>(&form_)) {
    cv::Mat bitmap(polygons->size, CV_8U, cv::Scalar(0));
    for (int y = 0; y < bitmap.rows; ++y)
      for (int x = 0; x < bitmap.cols; ++x) {  // at the pixel center
        bool inside = false, some = false;
        for (const auto& ring : polygons->rings) {
          if (polygons->rule == Polygons::Rule::any_ring) some |= std::exchange(inside, false);
          for (std::size_t i = 0, j = ring.size() - 1; i < ring.size(); j = i++)
            if ((ring[i].y > y + 0.5f) != (ring[j].y > y + 0.5f) &&
                x + 0.5f < (ring[j].x - ring[i].x) * (y + 0.5f - ring[i].y) / (ring[j].y - ring[i].y) + ring[i].x)
              inside = !inside;
        }
        bitmap.at<std::uint8_t>(y, x) = inside || some;
      }
    return bitmap;
  }
  if (const auto* bitmap = std::get_if<cv::Mat>(&form_)) return *bitmap;
  return {};
}

Rle Mask::rle() const {
  if (const auto* rle = std::get_if<Rle>(&form_)) return *rle;
  const cv::Mat bits = bitmap();
  if (bits.dims > 2) throw DataError("mask", "of a volume has no run lengths: they are of images");
  Rle result{bits.size(), {0}};
  bool inside = false;
  for (int x = 0; x < bits.cols; ++x)
    for (int y = 0; y < bits.rows; ++y) {
      if ((bits.at<std::uint8_t>(y, x) != 0) != inside) inside = !inside, result.counts.push_back(0);
      ++result.counts.back();
    }
  return result;
}

std::int64_t Mask::area() const {
  if (const auto* rle = std::get_if<Rle>(&form_)) {
    std::int64_t sum = 0;
    for (std::size_t i = 1; i < rle->counts.size(); i += 2) sum += rle->counts[i];
    return sum;
  }
  const cv::Mat bits = bitmap();
  std::int64_t sum = 0;
  for (auto it = bits.begin<std::uint8_t>(); it != bits.end<std::uint8_t>(); ++it) sum += *it != 0;
  return sum;
}

cv::Rect2f Mask::box() const {
  const cv::Mat bits = bitmap();
  const Extent size = extent(bits);
  int x0 = size.width, y0 = size.height, x1 = 0, y1 = 0;
  for (int z = 0; z < size.depth; ++z)
    for (int y = 0; y < size.height; ++y)
      for (int x = 0; x < size.width; ++x)
        if (bits.dims == 3 ? bits.at<std::uint8_t>(z, y, x) : bits.at<std::uint8_t>(y, x))
          x0 = std::min(x0, x), x1 = std::max(x1, x + 1), y0 = std::min(y0, y), y1 = std::max(y1, y + 1);
  return x1 > x0 ? cv::Rect2f(float(x0), float(y0), float(x1 - x0), float(y1 - y0)) : cv::Rect2f();
}

}  // namespace sectile
