#include <cmath>

#include <opencv2/core.hpp>

#include "support/annotated.h"
#include "support/component.h"

using sectile::Sample;
using sectile::Transform;
using sectile::test::applied;
using sectile::test::make;

// What implementations got wrong: images from 0 to 1 are divided by 255 once more, and those of 16 bits by 255 too
// (https://github.com/albumentations-team/albumentations/issues/302 and /issues/967). Expected: numbers of
// albumentations 2.0.8 for max_pixel_value 255, 65535 and 1.
TEST_CASE("normalize gives the same numbers for images of 8 bits, of 16 bits, and of floats from 0 to 1") {
  const cv::Mat bytes = (cv::Mat_<std::uint8_t>(1, 6) << 0, 128, 255, 10, 200, 77);
  const double scaled[] = {0.0, 0.5019607843137255, 1.0, 0.0392156862745098, 0.7843137254901961, 0.30196078431372547};
  const double expected[] = {-2.1179039301310043, 0.20518207282913153, 2.6399999999999997,
                             -1.9466563918143676, 1.4656862745098038,  -0.46239651416122024};
  const auto usual = make<Transform>(R"({"type": "normalize"})");
  const auto plain = make<Transform>(R"({"type": "normalize", "mean": [0], "deviation": [1]})");
  struct Form {
    int depth;
    double scale;
  };
  for (const auto& form : {Form{CV_8U, 1}, Form{CV_16U, 257}, Form{CV_32F, 1 / 255.}}) {
    CAPTURE(form.scale);
    Sample sample;
    bytes.reshape(3).convertTo(sample.image, form.depth, form.scale);
    cv::Mat values;
    sample.image.reshape(1).convertTo(values, CV_64F);
    const auto normalized = [&](const Sample& noted, int i) {
      const auto channel = static_cast<std::size_t>(i % 3);
      return (values.at<double>(0, i) - noted.mean.at(channel)) / noted.deviation.at(channel);
    };
    const auto usually = applied(*usual, sample), plainly = applied(*plain, sample);
    for (int i = 0; i < 6; ++i) {
      CHECK(std::abs(normalized(usually, i) - expected[i]) < 1e-5);
      CHECK(std::abs(normalized(plainly, i) - scaled[i]) < 1e-5);
    }
  }
}
