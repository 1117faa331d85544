// What sectile data check finds in small datasets.
#pragma once

#include <map>
#include <string>
#include <vector>

#include <opencv2/core.hpp>

#include "ground/checking/data_check.h"
#include "ground/spec/pipeline_spec.h"
#include "support/component.h"

namespace sectile::test {

inline DataCheck checked(const std::vector<Split>& splits, int workers = 2) {
  return check_data(splits, workers, [](const std::string&, std::size_t, std::size_t) {});
}

inline std::vector<Split> opened(const Json& spec, const std::string& only = "") {
  SpecFile file;
  file.json = spec;
  return open_splits(read_data_spec(plugins(), file), only);
}

// "train a: image_unreadable", each with its count in the whole check.
inline std::map<std::string, int> found_in(const DataCheck& check) {
  std::map<std::string, int> all;
  for (const auto& one : check.found) ++all[one.split + (one.index ? " " + one.id : "") + ": " + name_of(one.finding)];
  return all;
}
using Found = std::map<std::string, int>;

inline std::string message_of(const DataCheck& check, const std::string& id, Finding finding) {
  for (const auto& one : check.found)
    if (one.id == id && one.finding == finding) return one.message;
  return "not found";
}

inline bool holds(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

inline cv::Mat noise(int seed, int type = CV_8UC3, cv::Size size = {8, 6}) {
  cv::RNG random(static_cast<std::uint64_t>(seed) + 1);
  cv::Mat image(size, type);
  random.fill(image, cv::RNG::UNIFORM, 0, 200);
  return image;
}

}  // namespace sectile::test
