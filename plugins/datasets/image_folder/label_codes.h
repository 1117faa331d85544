// What the numbers or colors of a mask file mean.
#pragma once

#include <array>
#include <cstdint>
#include <filesystem>
#include <string>
#include <unordered_map>
#include <vector>

#include <sectile/context.h>
#include <sectile/data/class_table.h>
#include <sectile/data/image_io.h>
#include <opencv2/core/mat.hpp>

namespace image_folder {

using Color = std::array<int, 3>;
using sectile::ClassTable;

enum class Encoding { automatic, value, color };
enum class Unknown { error, ignore };

class LabelCodes {
 public:
  LabelCodes(const ClassTable& table, Encoding encoding, Unknown unknown);

  // CV_16S class numbers and kIgnore. place: the mask's name in messages. Throws DataError for what no class owns.
  cv::Mat read(const std::filesystem::path& mask, const sectile::ReadOptions& options, const std::string& place) const;
  const sectile::LabelMap& labels() const { return labels_; }

 private:
  // advice: what to do about a pixel that no class owns, if more is known about the file; or "".
  cv::Mat by_value(const std::string& place, const cv::Mat& values, const std::string& advice) const;
  template <class Value>
  void by_value(const std::string& place, const cv::Mat& values, const std::string& advice, cv::Mat& labels) const;
  template <class Value>
  std::int16_t class_of(Value value) const;
  cv::Mat by_color(const std::string& place, const cv::Mat& colors, const std::string& advice) const;

  sectile::LabelMap labels_;
  Encoding encoding_;
  Unknown unknown_;
  bool colors_given_ = true;                                  // by every class
  std::vector<std::int16_t> by_value_;                        // indexed by 16 bits
  std::unordered_map<std::uint32_t, std::int16_t> by_color_;  // of 0xRRGGBB
  std::string known_values_;                                  // for messages
  std::string known_colors_;
};

}  // namespace image_folder
