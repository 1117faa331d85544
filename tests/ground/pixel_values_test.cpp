// Changing values one by one: by vectors of 16 to 64 bytes, whose remainder and whose views must be right too.
#include <sectile/transforms/pixel_values.h>

#include <limits>

#include <opencv2/core.hpp>

#include "support/test.h"
#include "support/warps.h"

using namespace sectile;
using namespace sectile::test;

TEST_CASE("each value of an 8-bit image becomes its entry in the table") {
  std::vector<std::uint8_t> table(256);
  for (std::size_t i = 0; i < table.size(); ++i) table[i] = static_cast<std::uint8_t>(i * 7 + 3);
  const cv::Mat large = noise({90, 12}, CV_8UC3);
  for (int width = 1; width <= 90; ++width) {
    CAPTURE(width);
    const cv::Mat view = large(cv::Rect(90 - width, 2, width, 9)), copy = view.clone();
    for (const cv::Mat& from : {view, copy}) {
      const cv::Mat found = looked_up(from, table);
      REQUIRE(found.type() == CV_8UC3);
      REQUIRE(found.size() == from.size());
      bool right = true;
      for (int y = 0; y < from.rows; ++y)
        for (int i = 0; i < width * 3; ++i) right = right && found.ptr(y)[i] == table[from.ptr(y)[i]];
      CHECK(right);
      CHECK(difference(from, copy) == 0);  // what others may hold is not written to
    }
  }
  cv::Mat all(1, 256, CV_8U);
  for (int i = 0; i < 256; ++i) all.at<std::uint8_t>(0, i) = static_cast<std::uint8_t>(i);
  CHECK(difference(looked_up(all, table), cv::Mat(table).t()) == 0);
}

TEST_CASE("mapped values are rounded to the nearest and clipped; floats are neither") {
  const auto f = [](float value) { return value * 1.25f - 10; };
  const cv::Mat bytes = (cv::Mat_<std::uint8_t>(1, 4) << 0, 9, 90, 255);  // -10, 1.25, 102.5, 308.75
  CHECK(difference(mapped_values(bytes, f), (cv::Mat_<std::uint8_t>(1, 4) << 0, 1, 103, 255)) == 0);
  const cv::Mat words = (cv::Mat_<std::uint16_t>(1, 4) << 0, 9, 90, 65535);
  CHECK(difference(mapped_values(words, f), (cv::Mat_<std::uint16_t>(1, 4) << 0, 1, 103, 65535)) == 0);
  const cv::Mat floats = (cv::Mat_<float>(1, 3) << 0, 9, 1000);
  CHECK(difference(mapped_values(floats, f), (cv::Mat_<float>(1, 3) << -10, 1.25, 1240)) == 0);
  const int sizes[] = {2, 3, 4};
  const cv::Mat volume(3, sizes, CV_8U, cv::Scalar(9));
  const cv::Mat found = mapped_values(volume, f);
  REQUIRE(found.dims == 3);
  CHECK(difference(found, cv::Mat(3, sizes, CV_8U, cv::Scalar(1))) == 0);
  CHECK(mapped_values(cv::Mat(), f).empty());
}

TEST_CASE("float values that are far from 0 to 1 have no white") {
  sectile::Sample sample;
  sample.id = "scan";
  sample.image = cv::Mat(3, 4, CV_32FC3, cv::Scalar(-3, 0.5, 4));  // as noise and contrast may leave them
  CHECK(sectile::largest_value(sample, "gamma") == 1);
  sample.image.at<cv::Vec3f>(2, 1)[1] = 255;
  CHECK_THROWS_WITH_AS(sectile::largest_value(sample, "gamma"),
                       doctest::Contains("has float values from -3 to 255; gamma takes 0 as black and 1 as white"),
                       sectile::DataError);
  sample.image.at<cv::Vec3f>(2, 1)[1] = std::numeric_limits<float>::quiet_NaN();  // is no number, so not far
  CHECK(sectile::largest_value(sample, "gamma") == 1);
  const int sizes[] = {2, 3, 4};
  sample.image = cv::Mat(3, sizes, CV_32F, cv::Scalar(-1000));
  CHECK_THROWS_WITH_AS(sectile::largest_value(sample, "gamma"), doctest::Contains("from -1000 to -1000"),
                       sectile::DataError);
}

TEST_CASE("hue, saturation and value are changed by their definition, in rows of any width") {
  struct Case {
    cv::Vec3f color;
    HsvChange change;
    cv::Vec3f wanted;
  };
  const Case cases[] = {
      {{1, 0, 0}, {.hue_shift = 120}, {0, 1, 0}},
      {{1, 0, 0}, {.hue_shift = -120}, {0, 0, 1}},
      {{0, 0, 1}, {.hue_shift = 150}, {1, 0.5f, 0}},  // 240 degrees to 390
      {{1, 0.5f, 0}, {.hue_shift = -60}, {1, 0, 0.5f}},
      {{0, 1, 0.5f}, {.hue_shift = 360}, {0, 1, 0.5f}},
      {{0, 1, 0.5f}, {.hue_shift = -360}, {0, 1, 0.5f}},
      {{0.5f, 0.25f, 0.25f}, {.saturation_factor = 1.4f}, {0.5f, 0.15f, 0.15f}},
      {{0.5f, 0.25f, 0.25f}, {.saturation_factor = 0.5f, .saturation_shift = 0.1f}, {0.5f, 0.325f, 0.325f}},
      {{0.5f, 0.25f, 0.25f}, {.saturation_factor = 3}, {0.5f, 0, 0}},
      {{0.5f, 0.25f, 0.25f}, {.saturation_shift = -0.9f}, {0.5f, 0.5f, 0.5f}},
      {{0.5f, 0.5f, 0.5f}, {.saturation_shift = 0.5f}, {0.5f, 0.5f, 0.5f}},  // gray stays gray
      {{0.5f, 0.25f, 0.25f}, {.value_shift = 0.2f}, {0.7f, 0.35f, 0.35f}},
      {{0.5f, 0.25f, 0.25f}, {.value_shift = -0.7f}, {0, 0, 0}},
      {{1, 0.5f, 0.5f}, {.value_shift = 0.2f}, {1.2f, 0.6f, 0.6f}}};
  for (const auto& [color, change, wanted] : cases)
    for (const int type : {CV_16UC3, CV_32FC3})
      for (const int width : {1, 33}) {
        CAPTURE(wanted);
        CAPTURE(width);
        const double white = type == CV_16UC3 ? 65535 : 1;
        const cv::Mat from(2, width, type, cv::Scalar(color) * white);
        cv::Mat to(2, width, type);
        change_hsv(from, to, change, white);
        cv::Mat expected(2, width, CV_32FC3, cv::Scalar(wanted) * white);
        expected.convertTo(expected, type);  // clips 16U
        CHECK(difference(to, expected) <= white * 2e-5);
      }
}
