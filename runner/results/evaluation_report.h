// Metric values per image, and the whole evaluation as a JSON file.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "../../framework/upper/inference/evaluation.h"

namespace sectile {

// The values of the spec's metrics for each image.
class ImageScores final : public EvaluationObserver {
 public:
  explicit ImageScores(const Network& network) : network_(network) {}
  void image(std::size_t index, const Prediction& prediction, const Truth& truth) override;

  struct Score {
    std::string id;
    std::vector<std::pair<std::string, MetricReport::Value>> values;  // metric and value
  };
  const std::vector<Score>& all() const { return scores_; }
  // The images with the worst first value, worst first; undefined values are omitted.
  std::string worst(std::size_t count) const;

 private:
  const Network& network_;
  std::vector<Score> scores_;
};

// Throws DataError if it cannot be written.
void write_report(const std::filesystem::path& file, const Evaluation& evaluation, const LabelMap& labels,
                  const std::vector<ImageScores::Score>& images);

}  // namespace sectile
