#include <sectile/data/regions.h>
#include <sectile/data/rle.h>
#include <sectile/random.h>
#include <opencv2/core.hpp>

#include "support/test.h"

using namespace sectile;

namespace {

cv::Mat numbers(int rows, std::initializer_list<int> values) {
  cv::Mat made(rows, static_cast<int>(values.size()) / rows, CV_16U);
  std::copy(values.begin(), values.end(), made.begin<std::uint16_t>());
  return made;
}

}  // namespace

TEST_CASE("regions are the pixels of each number, as run lengths down the columns") {
  const auto found = regions_of(numbers(3, {0, 7, 7, 26003,  //
                                            0, 7, 0, 26003,  //
                                            0, 0, 0, 7}));
  REQUIRE(found.size() == 3);
  CHECK(found[0].number == 0);
  CHECK(found[0].mask.counts == std::vector<std::uint32_t>{0, 3, 2, 1, 1, 2, 3});
  CHECK(found[1].number == 7);
  CHECK(found[1].mask.counts == std::vector<std::uint32_t>{3, 2, 1, 1, 4, 1});
  CHECK(found[1].area == 4);
  CHECK(found[1].box == cv::Rect(1, 0, 3, 3));
  CHECK(found[2].number == 26003);
  CHECK(found[2].mask.counts == std::vector<std::uint32_t>{9, 2, 1});
  CHECK(found[2].box == cv::Rect(3, 0, 1, 2));
  CHECK(regions_of(cv::Mat()).empty());

  std::vector<int> all;
  for (const auto& region : regions_of(numbers(3, {26003, 300, 7, 65535, 256, 255, 0, 26010, 1, 512, 1000, 40000})))
    all.push_back(region.number);
  CHECK(all == std::vector<int>{0, 1, 7, 255, 256, 300, 512, 1000, 26003, 26010, 40000, 65535});
}

TEST_CASE("regions are those of a bitmap per number, whatever the type") {
  Random random{4};
  for (int i = 0; i < 50; ++i) {
    cv::Mat drawn(1 + static_cast<int>(random.below(7)), 1 + static_cast<int>(random.below(7)), CV_32S);
    for (auto it = drawn.begin<int>(); it != drawn.end<int>(); ++it) *it = static_cast<int>(random.below(3));
    std::int64_t covered = 0;
    for (const int type : {CV_8U, CV_16U, CV_32S}) {
      cv::Mat map;
      drawn.convertTo(map, type);
      for (const auto& region : regions_of(map)) {
        const Rle wanted = rle_of(cv::Mat(drawn == region.number));
        CHECK(region.mask.counts == wanted.counts);
        CHECK(region.mask.size == wanted.size);
        CHECK(region.area == area_of(wanted));
        CHECK(region.box == box_of(wanted));
        covered += region.area;
      }
    }
    CHECK(covered == 3 * static_cast<std::int64_t>(drawn.total()));
  }
}
