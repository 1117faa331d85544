// A trained network in your own program: open a checkpoint, pass images, get class numbers. This header needs only
// OpenCV's core; session_c.h is the same for C and languages that call C.
#pragma once

#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include <opencv2/core/mat.hpp>

#include <sectile/context.h>
#include <sectile/sample.h>

namespace sectile {

// How predictions of several networks, and several views of an image, are combined.
struct Combination {
  enum class By { mean, vote };  // of probabilities; or one vote per view and pixel, the lower class on a tie
  By by = By::mean;
  bool flip = false;             // also predict each image mirrored left and right
  std::vector<double> scales{};  // predict each image at these scales, such as {0.75, 1, 1.25}; empty: {1}
};

struct SessionOptions {
  std::string device = "cpu";  // "cpu", "cuda" or "cuda:1". Open the first on cuda before any runs on the CPU
  std::string precision{};     // "fp32", "bf16", "fp16", "fp64"; empty: as in training
  std::vector<std::filesystem::path> plugin_path{};  // plugin folders, searched before the default ones
  std::vector<std::string> changes{};                // to the checkpoint's spec: "/inference/window=[512, 512]"
  Combination combination{};
  std::function<void(const std::string&)> note{};  // called with notes while opening; may be empty
};

struct Segmentation {
  cv::Mat labels;  // 16S [H, W]: class numbers, kIgnore where there is no class; of overlapping classes the last one
  cv::Mat scores;  // 32F [H, W], one channel per class: probabilities, or shares of the votes. Empty unless
                   // requested
  std::vector<Instance> instances{};  // for instance segmentation, highest score first
};

class SECTILE_EXPORT Session {
 public:
  // checkpoint: or a spec with weights, the name of published weights, or a folder of Hugging Face, as for "sectile
  // predict". Throws SpecError, PluginError, DataError.
  explicit Session(const std::filesystem::path& checkpoint, const SessionOptions& options = {});
  // An ensemble of networks with the same classes.
  explicit Session(const std::vector<std::filesystem::path>& checkpoints, const SessionOptions& options = {});
  ~Session();
  Session(Session&&) noexcept;

  const LabelMap& labels() const;
  int channels() const;  // of the training images

  // image: [H, W] of 8U, 16U, 16S or 32F; RGB if there are three channels, as returned by read_image (OpenCV's imread
  // returns BGR), which needs keep_alpha for networks of 2 and 4 channels. Grayscale is converted to RGB, and the
  // reverse, if the network needs it. Results have the size of the image. May be called from several threads at once;
  // each uses the number of OpenMP threads that the program sets. Throws DataError for an image that the network cannot
  // process.
  Segmentation predict(const cv::Mat& image, bool scores = false) const;
  std::vector<Segmentation> predict(const std::vector<cv::Mat>& images, bool scores = false) const;  // one by one

 private:
  struct State;
  std::unique_ptr<State> state_;
};

// Writes a PNG of class numbers, as `sectile predict` does, with the colors of the classes as palette; 255 where there
// is no class. With more than 255 classes: 16 bits without a palette, 65535 where there is no class. Throws DataError.
SECTILE_EXPORT void write_labels(const std::filesystem::path& file, const cv::Mat& labels, const LabelMap& classes);

}  // namespace sectile
