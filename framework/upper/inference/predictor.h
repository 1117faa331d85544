// Images in, label maps out.
#pragma once

#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "ensemble.h"

namespace sectile {

// One image: a file, or one page of a TIFF stack.
struct ImageSource {
  std::filesystem::path file;
  int page = 0;   // from 0
  int pages = 1;  // of the file; more than one only in TIFF

  std::string place() const;  // "stack.tif, page 3" (from 1), or only the file where there is one page; for messages
};

// An image as a network takes it: grey becomes RGB and the reverse. Throws DataError naming the place for others.
cv::Mat with_channels(const cv::Mat& image, int channels, const std::string& place);

// The batches of one image that belongs to no dataset; `place` names it in messages. Called from several threads at
// once. Throws DataError.
std::vector<Batch> prepare(const Ensemble& ensemble, const cv::Mat& image, const std::string& place);

// Class numbers of a prediction, 16S; of overlapping classes the last that is there, or kIgnore.
cv::Mat label_map(const at::Tensor& labels);
cv::Mat score_map(const at::Tensor& scores);  // 32F, a channel per class. Throws PluginError where there are none

struct PredictedImage {
  std::size_t index = 0;  // of its source
  cv::Mat image;          // as read, with the channels that the network wants
  cv::Mat labels;         // 16S class numbers, of the file's size; of overlapping classes the last that is there, or
                          // kIgnore
  cv::Mat scores;         // 32F, a channel per class, of the file's size: probabilities that sum to 1, or each 0 to 1
                          // where classes overlap. Empty unless asked for
};

struct PredictOptions {
  bool scores = false;
  bool skip_bad = false;  // an image that cannot be read is left out, instead of ending the run
};

// Reads with the spec's number of loader threads and hands over one image after the other, in order. Memory holds at
// most one for each thread, and the one that is handed over. Grey images become RGB and the reverse where the network
// was trained so. Returns what was wrong with the images left out. Throws DataError naming the file; PluginError
// where the model gives no scores, and they are asked for.
std::vector<std::string> predict(const Ensemble& ensemble, const std::vector<ImageSource>& sources,
                                 const PredictOptions& options, const std::function<void(const PredictedImage&)>& use);

// The image with the predicted classes in their colors on top.
void write_overlay(const std::filesystem::path& file, const PredictedImage& image, const LabelMap& classes);

}  // namespace sectile
