// Predicting label maps for images.
#pragma once

#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "ensemble.h"

namespace sectile {

// One image: a file, one page of a TIFF stack, or a sample of a dataset.
struct ImageSource {
  std::filesystem::path file;                  // of a sample, its id
  int page = 0;                                // from 0
  int pages = 1;                               // in the file; more than one only in TIFF
  std::shared_ptr<const SampleSource> data{};  // of a sample; null: a file
  std::size_t index = 0;                       // of the sample in its dataset

  std::string place() const;  // "stack.tif, page 3" (from 1), or only the file if it has one page; for messages
};

// Sample `index` of a source, as read, after the evaluation transforms of this network, which may not be the source's.
Sample transformed_for(const Network& network, const SampleSource& source, std::size_t index, const Sample& read);

// The batches of one image that is not from a dataset; `place` names it in messages. Called from several threads at
// once. Throws DataError.
std::vector<Batch> prepare(const Ensemble& ensemble, const cv::Mat& image, const std::string& place);

// Class numbers of a prediction, 16S; of overlapping classes the last one present, or kIgnore.
cv::Mat label_map(const at::Tensor& labels);
cv::Mat score_map(const at::Tensor& scores);  // 32F, one channel per class. Throws PluginError if there are none

struct PredictedImage {
  std::size_t index = 0;  // in the list of sources
  cv::Mat image;          // of a file, with the channels that the network needs; of a sample, as its dataset gives it
  cv::Mat labels;  // 16S class numbers, of the file's size; of overlapping classes the last one present, or kIgnore.
                   // Empty unless requested
  cv::Mat scores;  // 32F, one channel per class, of the file's size: probabilities that sum to 1, or each 0 to 1 if
                   // classes overlap. Empty unless requested
  cv::Mat logits;  // 32F, as the scores, before softmax or sigmoid; NaN where the transforms cut off pixels. Empty
                   // unless requested
  std::vector<Instance> instances{};  // unless requested, none; in pixels of the file, best score first
  cv::Mat segment_ids{};              // 32S, 0 = void, of the file's size; empty unless requested
  std::vector<Segment> segments{};
  bool cut_off = false;  // the transforms cut off pixels, which have no class
};

struct PredictOptions {
  bool labels = true;
  bool scores = false;
  bool logits = false;  // of one network and one view alone
  bool instances = false;
  float least_score = 0;                      // of instances: those below are left out
  std::optional<std::size_t> most_objects{};  // of each image, those with the best scores
  bool segments = false;
  bool skip_bad = false;  // skip images that cannot be read, instead of ending the run
};

// Uses the spec's number of loader threads and passes on one image after the other, in order. Memory use: one image per
// thread, and the current one. Grayscale is converted to RGB, and the reverse, if the network needs it. Samples are
// predicted as evaluate() predicts them, without reading their annotation. Returns the errors of skipped images. Throws
// DataError naming the file; PluginError if scores or logits are requested and the model has none.
std::vector<std::string> predict(const Ensemble& ensemble, const std::vector<ImageSource>& sources,
                                 const PredictOptions& options, const std::function<void(const PredictedImage&)>& use);

// The image with the predicted classes overlaid in their colors, or, if there are no labels, the objects of this score
// and more.
void write_overlay(const std::filesystem::path& file, const PredictedImage& image, const LabelMap& classes,
                   float least_score = 0);

}  // namespace sectile
