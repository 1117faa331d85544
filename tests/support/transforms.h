// For tests of transforms: making them, plain images and patterns, and checks that hold for many of them.
#pragma once

#include <cstdint>
#include <fstream>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <sectile/random.h>
#include <sectile/transform.h>
#include <nlohmann/json.hpp>
#include <opencv2/core.hpp>

#include "support/annotated.h"
#include "support/component.h"
#include "support/test.h"

namespace sectile::test {

// Unless the options have another probability.
inline std::shared_ptr<Transform> always(const std::string& type, nlohmann::json options,
                                         const BuildContext& context = {}) {
  options["type"] = type;
  if (!options.contains("probability")) options["probability"] = 1;
  return make<Transform>(options.dump(), context);
}

inline Sample mixed_with(const Transform& transform, Sample sample, const Sample& other, std::uint64_t seed = 1) {
  Draw draw(Random{seed}, [&](Random&) { return other; });
  transform.apply(sample, draw);
  return sample;
}

// The same value in all pixels and channels.
inline Sample sheet_of(int type, cv::Size size, double value) {
  Sample sample;
  sample.id = "sheet";
  sample.image = cv::Mat(size, type);
  sample.image.reshape(1).setTo(value);
  return sample;
}

// A sheet with labels, row by row.
inline Sample labelled(int rows, int columns, const std::vector<int>& labels, int type, double value) {
  Sample sample = sheet_of(type, {columns, rows}, value);
  sample.id = "labelled";
  sample.labels = cv::Mat(rows, columns, CV_16S);
  for (std::size_t i = 0; i < labels.size(); ++i)
    sample.labels.ptr<std::int16_t>()[i] = static_cast<std::int16_t>(labels[i]);
  return sample;
}

// 8U. value_of(x, y, channel) is as in the plugin's expected.py.
template <class ValueOf>
Sample pattern_of(const std::string& id, cv::Size size, int channels, const ValueOf& value_of) {
  Sample sample;
  sample.id = id;
  sample.image = cv::Mat(size, CV_8UC(channels));
  for (int y = 0; y < size.height; ++y)
    for (int x = 0; x < size.width; ++x)
      for (int c = 0; c < channels; ++c) sample.image.ptr(y, x)[c] = static_cast<std::uint8_t>(value_of(x, y, c));
  return sample;
}

// Looks random from 0 to 255, and is easily made in Python too.
inline std::int64_t scattered(std::int64_t i) { return (i * i * 40503 + i * 9973) % 65521 % 256; }

inline Sample scattered_pattern(const std::string& id, cv::Size size, int channels = 3) {
  return pattern_of(id, size, channels,
                    [&](int x, int y, int c) { return scattered((y * size.width + x) * channels + c); });
}

// A plugin's expected.json. Kept, so that a loop may go over a part of it.
inline const nlohmann::json& expected_of_transform(const std::string& name) {
  static std::map<std::string, nlohmann::json> files;
  auto& kept = files[name];
  if (kept.is_null()) {
    std::ifstream file(SECTILE_SOURCE_DIR "/plugins/transforms/" + name + "/expected.json");
    kept = nlohmann::json::parse(file);
  }
  return kept;
}

struct BesideExpected {
  cv::Mat found, expected;  // [1, values] of 32F
};
// The values of what is made of an image of 8 bits, or of the same from 0 to 1 where the reference's "depth" is 32F.
inline BesideExpected beside_expected(const Transform& transform, Sample before, const nlohmann::json& reference) {
  if (reference["depth"] == "32F") before.image.convertTo(before.image, CV_32F, 1 / 255.0);
  const cv::Mat untouched = before.image.clone();
  const cv::Mat after = applied(transform, before).image;
  REQUIRE(after.type() == before.image.type());
  CHECK(cv::norm(before.image, untouched, cv::NORM_INF) == 0);  // what others may hold is not written to
  BesideExpected values;
  after.reshape(1, 1).convertTo(values.found, CV_32F);
  values.expected = cv::Mat(reference["values"].get<std::vector<float>>(), true).reshape(1, 1);
  REQUIRE(values.found.total() == values.expected.total());
  return values;
}

// A transform of the image alone, whose probability is 1/2 by default.
inline void check_applied_half_the_time(const std::string& type) {
  const Sample before = annotated();
  const auto often = make<Transform>(nlohmann::json{{"type", type}}.dump());
  int changed = 0;
  for (std::uint64_t seed = 0; seed < 1000; ++seed) {
    const Sample after = applied(*often, before, seed);
    changed += after.image.data != before.image.data;
    CHECK(after.labels.data == before.labels.data);
  }
  CHECK(changed > 440);  // 3.8 standard deviations
  CHECK(changed < 560);
  CHECK(applied(*always(type, {{"probability", 0}}), before).image.data == before.image.data);
}

// What a transform of transforms mixes in has been through those before. options: all but its "transforms".
inline void check_others_go_through(const std::string& type, nlohmann::json options) {
  options["transforms"] = nlohmann::json::parse(
      R"([{"type": "pad", "size": [40, 40], "fill": 200}, {"type": "cutmix", "probability": 1}])");
  const auto transform = always(type, options);
  const cv::Size size(30, 20);
  for (std::uint64_t seed = 0; seed < 50; ++seed) {
    const auto after = mixed_with(*transform, sheet_of(CV_8U, size, 50), sheet_of(CV_8U, size, 10), seed);
    CHECK(cv::countNonZero(after.image == 200) == 40 * 40 - size.area());
  }
}

}  // namespace sectile::test
