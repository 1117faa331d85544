// Pictures in, label maps out.
#pragma once

#include <filesystem>
#include <functional>
#include <vector>

#include "../training/pipeline.h"

namespace sectile {

struct PredictedPicture {
  std::filesystem::path file;
  cv::Mat image;  // as read, with the channels that the network wants
  cv::Mat
      labels;  // 16S class numbers, of the file's size; of overlapping classes the last one that is there, or kIgnore
};

// Reads with the spec's number of loader threads and hands over one picture after the other, in order, so that memory
// holds only a few of them. Grey pictures become RGB and the reverse where the network was trained so.
// Throws DataError naming the file.
void predict(const Pipeline& pipeline, const std::vector<std::filesystem::path>& files,
             const std::function<void(const PredictedPicture&)>& use);

// What predict writes for one picture: a PNG of class numbers with the classes' palette. Throws DataError.
void write_labels(const std::filesystem::path& file, const cv::Mat& labels, const LabelMap& classes);

// The same picture seen through its classes' colours.
void write_overlay(const std::filesystem::path& file, const PredictedPicture& picture, const LabelMap& classes);

}  // namespace sectile
