#include <algorithm>
#include <cmath>
#include <utility>

#include <opencv2/core.hpp>

#include <sectile/data/rle.h>
#include <sectile/error.h>
#include <sectile/sample.h>

namespace sectile {
namespace {

Rle union_of_rings(const Polygons& polygons) {
  std::vector<Rle> rings;
  for (const auto& ring : polygons.rings) rings.push_back(rle_of(ring, polygons.size));
  if (rings.empty()) rings.push_back({polygons.size, {static_cast<std::uint32_t>(polygons.size.area())}});
  return united(rings);
}

// Where a row of pixel centers enters and leaves the rings.
cv::Mat even_odd_bitmap(const Polygons& polygons) {
  cv::Mat bitmap(polygons.size, CV_8U, cv::Scalar(0));
  std::vector<std::vector<double>> crossings(static_cast<std::size_t>(bitmap.rows));
  const auto row_after = [&](double y) {
    return static_cast<int>(std::clamp(std::ceil(y - 0.5), 0.0, double(bitmap.rows)));
  };
  for (const auto& ring : polygons.rings)
    for (std::size_t i = 0, j = ring.size() - 1; i < ring.size(); j = i++) {
      const auto &a = ring[i].y < ring[j].y ? ring[i] : ring[j], &b = ring[i].y < ring[j].y ? ring[j] : ring[i];
      if (!(std::isfinite(a.x) && std::isfinite(a.y) && std::isfinite(b.x) && std::isfinite(b.y)))
        throw DataError("mask", "has a polygon with a corner that is not finite");
      for (int y = row_after(a.y); y < row_after(b.y); ++y)
        crossings[static_cast<std::size_t>(y)].push_back(a.x + (b.x - a.x) * (y + 0.5 - a.y) / (b.y - a.y));
    }
  for (int y = 0; y < bitmap.rows; ++y) {
    auto& row = crossings[static_cast<std::size_t>(y)];
    std::sort(row.begin(), row.end());
    for (std::size_t i = 0; i + 1 < row.size(); i += 2) {
      const auto column_after = [&](double x) {
        return static_cast<int>(std::clamp(std::ceil(x - 0.5), 0.0, double(bitmap.cols)));
      };
      std::fill(bitmap.ptr(y) + column_after(row[i]), bitmap.ptr(y) + column_after(row[i + 1]), std::uint8_t{1});
    }
  }
  return bitmap;
}

}  // namespace

Mask::Mask(Rle rle) : form_(std::move(rle)) {}
Mask::Mask(Polygons polygons) : form_(std::move(polygons)) {}
Mask::Mask(cv::Mat bitmap) : form_(std::move(bitmap)) {}
bool Mask::empty() const { return form_.index() == 0; }

cv::Mat Mask::bitmap() const {
  if (const auto* bitmap = std::get_if<cv::Mat>(&form_)) return *bitmap;
  if (empty()) return {};
  const auto* polygons = std::get_if<Polygons>(&form_);
  return polygons && polygons->rule == Polygons::Rule::even_odd ? even_odd_bitmap(*polygons) : bitmap_of(rle());
}

Rle Mask::rle() const {
  if (const auto* rle = std::get_if<Rle>(&form_)) return *rle;
  if (empty()) return {};
  const auto* polygons = std::get_if<Polygons>(&form_);
  if (polygons && polygons->rule == Polygons::Rule::any_ring) return union_of_rings(*polygons);
  const cv::Mat bits = bitmap();
  if (bits.dims > 2) throw DataError("mask", "of a volume has no run lengths: they are of images");
  return rle_of(bits);
}

std::int64_t Mask::area() const {
  if (const auto* bits = std::get_if<cv::Mat>(&form_); bits && bits->dims > 2)
    return cv::countNonZero(bits->reshape(1, 1));
  return area_of(rle());
}

cv::Rect2f Mask::box() const {
  const auto* bits = std::get_if<cv::Mat>(&form_);
  if (!bits || bits->dims <= 2) return box_of(rle());
  const Extent size = extent(*bits);
  int x0 = size.width, y0 = size.height, x1 = 0, y1 = 0;
  for (int z = 0; z < size.depth; ++z)
    for (int y = 0; y < size.height; ++y)
      for (int x = 0; x < size.width; ++x)
        if (bits->at<std::uint8_t>(z, y, x))
          x0 = std::min(x0, x), x1 = std::max(x1, x + 1), y0 = std::min(y0, y), y1 = std::max(y1, y + 1);
  return x1 > x0 ? cv::Rect2f(float(x0), float(y0), float(x1 - x0), float(y1 - y0)) : cv::Rect2f();
}

}  // namespace sectile
