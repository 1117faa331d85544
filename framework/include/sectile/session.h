// A trained network in a program of your own: open a checkpoint, give it images, get class numbers. This header needs
// OpenCV's core alone; session_c.h is the same for C and the languages that call C.
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

// How several networks, and several views of an image, become one answer.
struct Combination {
  enum class By { mean, vote };  // of probabilities; or each view's labels count once, the lower class on a tie
  By by = By::mean;
  bool flip = false;             // each image is also seen mirrored left and right
  std::vector<double> scales{};  // sizes at which it is seen, such as {0.75, 1, 1.25}; empty: its own
};

struct SessionOptions {
  std::string device = "cpu";                        // "cpu", "cuda" or "cuda:1"
  std::string precision{};                           // "fp32", "bf16", "fp16", "fp64"; empty: the one trained in
  std::vector<std::filesystem::path> plugin_path{};  // folders of plugins, searched before the usual ones
  std::vector<std::string> changes{};                // of the checkpoint's spec: "/inference/window=[512, 512]"
  Combination combination{};
  std::function<void(const std::string&)> note{};  // is told what is worth knowing while opening; empty: nobody
};

struct Segmentation {
  cv::Mat labels;  // 16S [H, W]: class numbers, kIgnore where no class is; of overlapping classes the last one
  cv::Mat scores;  // 32F [H, W], a channel per class: probabilities. Empty unless asked for
  std::vector<Instance> instances{};  // of networks that find objects, the most certain first
};

class SECTILE_EXPORT Session {
 public:
  // Throws SpecError, PluginError, DataError.
  explicit Session(const std::filesystem::path& checkpoint, const SessionOptions& options = {});
  // An ensemble of networks with the same classes.
  explicit Session(const std::vector<std::filesystem::path>& checkpoints, const SessionOptions& options = {});
  ~Session();
  Session(Session&&) noexcept;

  const LabelMap& labels() const;
  int channels() const;  // of the images that the network was trained on

  // image: [H, W] of 8U, 16U, 16S or 32F; RGB where there are three channels, as read_image gives them (OpenCV's imread
  // gives BGR). Grey becomes RGB and the reverse where the network was trained so. Answers have the image's size.
  // Called from several threads at once; each computes with as many OpenMP threads as its program gives it. Throws
  // DataError for an image that the network cannot take.
  Segmentation predict(const cv::Mat& image, bool scores = false) const;
  std::vector<Segmentation> predict(const std::vector<cv::Mat>& images, bool scores = false) const;  // one by one

 private:
  struct State;
  std::unique_ptr<State> state_;
};

// A PNG of class numbers, with the colors of the classes as palette; 255 where no class is. With more than 255 classes:
// 16 bits without a palette, 65535 where no class is. What `sectile predict` writes. Throws DataError.
SECTILE_EXPORT void write_labels(const std::filesystem::path& file, const cv::Mat& labels, const LabelMap& classes);

}  // namespace sectile
