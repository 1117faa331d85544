// Which pixels COCO's polygons cover, drawn by hand or by pycocotools 2.0 (pixels on slanted edges are its own rule).
#include <sectile/data/average_precision.h>
#include <sectile/data/rle.h>
#include <opencv2/core.hpp>

#include "support/test.h"

using namespace sectile;

namespace {

constexpr int kHeight = 12, kWidth = 14;
using Rings = std::vector<std::vector<cv::Point2d>>;

Mask polygons_mask(const Rings& rings) { return Mask(Polygons{{kWidth, kHeight}, rings, Polygons::Rule::any_ring}); }

std::string drawn(const Rings& rings) {
  const auto bitmap = polygons_mask(rings).bitmap();
  std::string text;
  for (int y = 0; y < bitmap.rows; ++y) {
    for (int x = 0; x < bitmap.cols; ++x) text += bitmap.at<std::uint8_t>(y, x) ? '#' : '.';
    text += '\n';
  }
  return text;
}

}  // namespace

TEST_CASE("corners are edges of pixels; direction and a repeated end change nothing; what is outside is cut off") {
  CHECK(polygons_mask({{{0, 0}, {0, 9}, {9, 9}, {9, 0}}}).area() == 81);
  const Rings rectangle{{{2, 1}, {11, 1}, {11, 8}, {2, 8}}};
  CHECK(polygons_mask(rectangle).area() == 63);
  CHECK(drawn({{{2, 1}, {11, 1}, {11, 8}, {2, 8}, {2, 1}}}) == drawn(rectangle));
  CHECK(drawn({{{2, 1}, {2, 8}, {11, 8}, {11, 1}}}) == drawn(rectangle));
  CHECK(polygons_mask({{{-5, -4}, {6, -4}, {6, 5}, {-5, 5}}}).area() == 30);
  CHECK(polygons_mask({{{30, 30}, {40, 30}, {40, 40}, {30, 40}}}).area() == 0);
  CHECK(polygons_mask({}).area() == 0);
}

TEST_CASE("slanted edges are those of pycocotools") {
  CHECK(drawn({{{1, 1}, {12, 3}, {4, 11}}}) ==
        "..............\n"
        ".###..........\n"
        ".########.....\n"
        "..#########...\n"
        "..########....\n"
        "..#######.....\n"
        "...#####......\n"
        "...####.......\n"
        "...###........\n"
        "....#.........\n"
        "..............\n"
        "..............\n");
  CHECK(drawn({{{1.4, 2.6}, {9.7, 1.2}, {12.3, 8.8}, {3.1, 10.5}}}) ==
        "..............\n"
        "........##....\n"
        "..########....\n"
        "..#########...\n"
        "..#########...\n"
        "..#########...\n"
        "..##########..\n"
        "...#########..\n"
        "...#########..\n"
        "...######.....\n"
        "...#..........\n"
        "..............\n");
}

TEST_CASE("rings are united, one inside another is no hole; a ring that crosses itself or runs in and out has one") {
  CHECK(polygons_mask({{{1, 1}, {11, 1}, {11, 11}, {1, 11}}, {{4, 4}, {8, 4}, {8, 8}, {4, 8}}}).area() == 100);
  CHECK(polygons_mask({{{1, 1}, {4, 1}, {4, 4}, {1, 4}}, {{8, 6}, {12, 6}, {12, 10}, {8, 10}}}).area() == 9 + 16);
  CHECK(polygons_mask({{{1, 1}, {11, 1}, {11, 11}, {1, 11}, {1, 1}, {4, 4}, {4, 8}, {8, 8}, {8, 4}, {4, 4}}}).area() ==
        84);
  CHECK(drawn({{{1, 1}, {11, 11}, {11, 1}, {1, 11}}}) ==
        "..............\n"
        ".#........#...\n"
        ".##......##...\n"
        ".###....###...\n"
        ".####..####...\n"
        ".##########...\n"
        ".####..####...\n"
        ".###....###...\n"
        ".##......##...\n"
        ".#........#...\n"
        "..............\n"
        "..............\n");
}

TEST_CASE("boundaries are two pixels wide in an image of 60 x 80, and the image's edge is one") {
  // Of 264 and 260 pixels, whose IoU is 0.480225988700565 (cv2 and scipy); the masks' own is 0.92.
  const auto rectangle = [](const cv::Rect& box) {
    cv::Mat mask = cv::Mat::zeros(60, 80, CV_8U);
    mask(box) = cv::Scalar(1);
    return ApObject{.area = double(box.area()), .mask = rle_of(mask)};
  };
  ApOptions options;
  options.kind = ApKind::boundary;
  options.iou_thresholds = {0.4802, 0.4803};
  AveragePrecision counts(options, 1);
  const std::vector<ApObject> truth{rectangle({10, 0, 40, 30})}, found{rectangle({12, 0, 38, 31})};
  counts.add(1, truth, found);
  CHECK(counts.compute().ap == doctest::Approx(0.5));
}

TEST_CASE("an object's outline is no match for it: of both overlaps the smaller one counts") {
  cv::Mat whole = cv::Mat::zeros(60, 80, CV_8U);
  whole(cv::Rect(10, 10, 40, 30)) = cv::Scalar(1);
  cv::Mat outline = whole.clone();
  outline(cv::Rect(12, 12, 36, 26)) = cv::Scalar(0);  // 264 of 1200 pixels are left, which are the boundaries of both
  ApOptions options;
  options.kind = ApKind::boundary;
  options.iou_thresholds = {0.219, 0.221};
  AveragePrecision counts(options, 1);
  const std::vector<ApObject> truth{{.area = 1200, .mask = rle_of(whole)}};
  const std::vector<ApObject> found{{.area = 264, .mask = rle_of(outline)}};
  counts.add(1, truth, found);
  CHECK(counts.compute().ap == doctest::Approx(0.5));
}

TEST_CASE("in a tiny image boundaries are one pixel wide") {
  const auto square = [](int side) {
    cv::Mat mask = cv::Mat::zeros(10, 10, CV_8U);
    mask(cv::Rect(1, 1, side, side)) = cv::Scalar(1);
    return ApObject{.area = double(side * side), .mask = rle_of(mask)};
  };
  ApOptions options;  // 24 and 20 pixels, of which 11 are those of both: 11 / 33 and not 36 / 49
  options.kind = ApKind::boundary;
  options.iou_thresholds = {0.33, 0.34};
  AveragePrecision counts(options, 1);
  const std::vector<ApObject> truth{square(7)}, found{square(6)};
  counts.add(1, truth, found);
  CHECK(counts.compute().ap == doctest::Approx(0.5));
}
