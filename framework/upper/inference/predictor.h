// Pictures in, label maps out.
#pragma once

#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "../training/pipeline.h"

namespace sectile {

// One picture: a file, or one page of a TIFF stack.
struct PictureSource {
  std::filesystem::path file;
  int page = 0;   // from 0
  int pages = 1;  // of the file; more than one only in TIFF

  std::string place() const;  // "stack.tif, page 3" (from 1), or only the file where there is one page; for messages
};

struct PredictedPicture {
  std::size_t index = 0;  // of its source
  cv::Mat image;          // as read, with the channels that the network wants
  cv::Mat labels;         // 16S class numbers, of the file's size; of overlapping classes the last that is there, or
                          // kIgnore
  cv::Mat scores;         // 32F, a channel per class, of the file's size: probabilities that sum to 1, or each 0 to 1
                          // where classes overlap. Empty unless asked for
};

struct PredictOptions {
  bool scores = false;
  bool skip_bad = false;  // a picture that cannot be read is left out, instead of ending the run
};

// Reads with the spec's number of loader threads and hands over one picture after the other, in order. Memory holds at
// most one for each thread, and the one that is handed over. Grey pictures become RGB and the reverse where the network
// was trained so. Returns what was wrong with the pictures left out. Throws DataError naming the file; PluginError
// where the model gives no scores, and they are asked for.
std::vector<std::string> predict(const Pipeline& pipeline, const std::vector<PictureSource>& sources,
                                 const PredictOptions& options,
                                 const std::function<void(const PredictedPicture&)>& use);

// What predict writes for one picture: a PNG of class numbers with the classes' palette. Throws DataError.
void write_labels(const std::filesystem::path& file, const cv::Mat& labels, const LabelMap& classes);

// The same picture seen through its classes' colours.
void write_overlay(const std::filesystem::path& file, const PredictedPicture& picture, const LabelMap& classes);

}  // namespace sectile
