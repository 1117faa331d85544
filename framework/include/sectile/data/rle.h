// Run lengths of masks, in COCO's order: down the columns, background first. Numbers equal those of pycocotools 2.0
// (cocodataset/cocoapi, common/maskApi). No function makes a bitmap on the way. All throw DataError for run lengths
// that do not cover their size.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include <opencv2/core/mat.hpp>
#include <opencv2/core/types.hpp>

#include <sectile/mask.h>

namespace sectile {

// COCO's compressed "counts", and back. from_coco throws DataError for other characters, numbers that end too early or
// are negative, and run lengths that do not cover the size.
SECTILE_EXPORT std::string to_coco(const Rle& rle);
SECTILE_EXPORT Rle from_coco(const std::string& counts, const cv::Size& size);

// bitmap: 8U, H x W, 0 or not.
SECTILE_EXPORT Rle rle_of(const cv::Mat& bitmap);
// The pixels inside any ring, by COCO's rule: corners are rounded to a fifth of a pixel, and pixels whose center is on
// the border belong to the right and lower side. A ring of fewer than three corners covers what pycocotools makes of
// it.
SECTILE_EXPORT Rle rle_of(const std::vector<cv::Point2d>& ring, const cv::Size& size);
SECTILE_EXPORT Rle rle_of(const cv::Rect2d& box, const cv::Size& size);
SECTILE_EXPORT cv::Mat bitmap_of(const Rle& rle);  // 8U, 0 or 1

SECTILE_EXPORT std::int64_t area_of(const Rle& rle);
SECTILE_EXPORT cv::Rect box_of(const Rle& rle);  // the smallest that holds all its pixels; empty: none

// All of one size, at least one. Throws DataError for other sizes.
SECTILE_EXPORT Rle united(const std::vector<Rle>& all);
SECTILE_EXPORT Rle intersection_of(const std::vector<Rle>& all);

// Intersection over union of each pair: [predictions, truths], row by row. Over the prediction's area where the truth
// is a crowd. Pairs whose boxes do not touch cost nothing.
SECTILE_EXPORT std::vector<double> iou_of(const std::vector<Rle>& predictions, const std::vector<Rle>& truths,
                                          const std::vector<bool>& crowd);
SECTILE_EXPORT std::vector<double> iou_of(const std::vector<cv::Rect2d>& predictions,
                                          const std::vector<cv::Rect2d>& truths, const std::vector<bool>& crowd);

}  // namespace sectile
