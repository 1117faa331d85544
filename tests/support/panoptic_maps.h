// The random maps of segments that tests/parity/metrics/panoptic.py gave to panopticapi, made anew from their formula.
#pragma once

#include <fstream>
#include <vector>

#include <nlohmann/json.hpp>
#include <opencv2/core.hpp>

#include <sectile/random.h>
#include <sectile/sample.h>

#include "support/test.h"

namespace sectile::test {

struct PanopticMaps {
  cv::Mat truth_ids, found_ids;  // 32S
  std::vector<Segment> truths, found;
};

inline PanopticMaps panoptic_maps(std::uint64_t index, int classes) {
  Random head{17, index};
  const int height = 1 + int(head.uniform() * 24), width = 1 + int(head.uniform() * 24);
  const int truths = int(head.uniform() * 7), found = int(head.uniform() * 7);
  const double level = 0.3 + 0.7 * head.uniform(), runs = head.uniform();
  PanopticMaps made;
  const auto add = [&](int count, bool is_truth) {
    for (int k = 0; k < 6; ++k) {
      const double id = head.uniform(), category = head.uniform(), third = head.uniform();
      if (k >= count) continue;
      Segment segment{1 + k * 70001 + int(id * 60000), int(category * classes), is_truth && third < 0.2};
      if (!is_truth && k < truths && third < 0.7) segment.category = made.truths[static_cast<std::size_t>(k)].category;
      (is_truth ? made.truths : made.found).push_back(segment);
    }
  };
  add(truths, true);
  add(found, false);
  made.truth_ids.create(height, width, CV_32S);
  made.found_ids.create(height, width, CV_32S);
  Random pixels{18, index};
  int a = -1;
  for (int p = 0; p < height * width; ++p) {
    const double keep = pixels.uniform(), first = pixels.uniform(), second = pixels.uniform();
    if (p == 0 || keep >= runs) a = int(first * (truths + 1)) - 1;
    const int b = second < level ? (a < found ? a : -1) : int((second - level) / (1 - level) * (found + 1)) - 1;
    made.truth_ids.at<int>(p / width, p % width) = a < 0 ? 0 : made.truths[static_cast<std::size_t>(a)].id;
    made.found_ids.at<int>(p / width, p % width) = b < 0 ? 0 : made.found[static_cast<std::size_t>(b)].id;
  }
  return made;
}

inline nlohmann::json panoptic_expected() {
  std::ifstream file(SECTILE_SOURCE_DIR "/tests/parity/metrics/panoptic.json");
  return nlohmann::json::parse(file);
}

}  // namespace sectile::test
