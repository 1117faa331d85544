#include <sectile/session.h>

#include <algorithm>
#include <utility>

#include <c10/core/InferenceMode.h>

#include "../network/open.h"
#include "predictor.h"

namespace sectile {

struct Session::State {
  std::vector<Network> networks;
  std::unique_ptr<Ensemble> ensemble;
};

Session::Session(const std::filesystem::path& checkpoint, const SessionOptions& options)
    : Session(std::vector{checkpoint}, options) {}

Session::Session(const std::vector<std::filesystem::path>& checkpoints, const SessionOptions& options)
    : state_(std::make_unique<State>()) {
  if (checkpoints.empty()) throw DataError("a session", "needs a checkpoint, and none was named");
  OpenOptions open;
  open.device = options.device;
  open.changes = options.changes;
  if (!options.precision.empty()) open.changes.push_back("/train/precision=" + options.precision);
  open.plugin_path = options.plugin_path;
  const auto note = options.note ? options.note : [](const std::string&) {};
  std::vector<const Network*> networks;
  for (const auto& file : checkpoints) state_->networks.push_back(open_network(file, open, note));
  for (const auto& network : state_->networks) networks.push_back(&network);
  state_->ensemble = std::make_unique<Ensemble>(std::move(networks), options.combination);
}

Session::~Session() = default;
Session::Session(Session&&) noexcept = default;

const LabelMap& Session::labels() const { return *state_->ensemble->first().context.labels; }
int Session::channels() const { return state_->ensemble->first().image_channels; }

Segmentation Session::predict(const cv::Mat& image, bool scores) const {
  const c10::InferenceMode no_gradients;
  const auto& ensemble = *state_->ensemble;
  Wanted wanted;
  wanted.labels = true;
  wanted.scores = scores;
  wanted.instances = wanted.masks = ensemble.first().spec.task != Task::semantic;
  wanted.overlapping = labels().overlapping;
  if (image.empty()) throw DataError("the image", "is empty");
  auto prediction = ensemble.predict(prepare(ensemble, image, "the image"), wanted);
  Segmentation answer;
  if (prediction.labels.defined()) answer.labels = label_map(prediction.labels);
  if (scores) answer.scores = score_map(prediction.scores);
  answer.instances = std::move(prediction.instances);
  std::stable_sort(answer.instances.begin(), answer.instances.end(),
                   [](const Instance& a, const Instance& b) { return a.score > b.score; });
  return answer;
}

std::vector<Segmentation> Session::predict(const std::vector<cv::Mat>& images, bool scores) const {
  std::vector<Segmentation> answers;
  for (const auto& image : images) answers.push_back(predict(image, scores));
  return answers;
}

}  // namespace sectile
