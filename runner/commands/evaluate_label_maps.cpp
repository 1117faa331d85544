// Metrics of label maps in files, without a network.
#include <algorithm>
#include <chrono>
#include <iostream>

#include <ATen/Parallel.h>
#include <c10/core/InferenceMode.h>

#include <sectile/data/options_file.h>

#include "../../framework/ground/checking/in_order.h"
#include "../../framework/ground/component_call.h"
#include "../../framework/ground/json_line.h"
#include "../../framework/ground/spec/pipeline_spec.h"
#include "../../framework/upper/loading/batch.h"
#include "../printable.h"
#include "../progress.h"
#include "../results/evaluation_report.h"
#include "../results/label_map_files.h"
#include "../results/report_file.h"
#include "../results/table.h"
#include "compared_files.h"

namespace sectile {
namespace {

namespace po = boost::program_options;

constexpr int kMostClasses = 32767;
constexpr int kMostWorkers = 256;
constexpr std::size_t kMemory = std::size_t{1} << 30;  // of what images have added that is not merged yet
constexpr std::size_t kShown = 20;                     // problems

bool is_number(const std::string& text) {
  return !text.empty() && std::all_of(text.begin(), text.end(), [](char c) { return c >= '0' && c <= '9'; });
}

ClassTable classes_of(const CommandLine& line) {
  if (!line.given.count("classes"))
    throw po::error(
        "--classes is missing: label maps hold numbers; give how many classes there are, or a JSON file of them");
  const auto given = line.given["classes"].as<std::string>();
  if (!is_number(given)) {
    auto table = read_options<ClassTable>(given);
    if (table.classes.empty()) throw DataError(given, "has no class in \"classes\"");
    return table;
  }
  const int count = given.size() > 5 ? 0 : std::stoi(given);
  if (count < 1 || count > kMostClasses)
    throw po::error("--classes: " + given + " is not a number of classes; expected 1 to " +
                    std::to_string(kMostClasses));
  ClassTable table;
  for (int c = 0; c < count; ++c) table.classes.emplace_back().name = std::to_string(c);
  return table;
}

std::vector<int> ignored(const CommandLine& line, const ClassTable& table) {
  const auto is_class = [&](int value) {
    for (std::size_t c = 0; c < table.classes.size(); ++c)
      if (table.value_of(c) == value) return true;
    return false;
  };
  if (!line.given.count("ignore")) {
    if (!is_number(line.given["classes"].as<std::string>())) return table.ignore;  // a file says what is ignored too
    return is_class(255) ? std::vector<int>{} : std::vector<int>{255};
  }
  const auto values = line.given["ignore"].as<std::vector<int>>();
  for (const int value : values) {
    if (value < 0 || value > 65535)
      throw po::error("--ignore: " + std::to_string(value) + " is not a value of pixels; expected 0 to 65535");
    if (is_class(value)) throw po::error("--ignore: " + std::to_string(value) + " is the value of a class");
  }
  return values;
}

std::vector<Ref<Metric>> metrics_of(const CommandLine& line) {
  std::vector<std::string> given{"iou", "pixel_accuracy"};
  if (line.given.count("metric")) given = line.given["metric"].as<std::vector<std::string>>();
  std::string all;
  for (const auto& one : given) {
    const auto text = one.starts_with('{') ? one : JsonLine().add("type", one).text();
    open_spec_text(text, "--metric " + text, {});  // its own mistakes, before it is one of several
    all += (all.empty() ? "" : ", ") + text;
  }
  const auto index = open_plugins(line.common, nullptr);
  tell_plugins(line.common, index);
  return read_metrics(index, *open_spec_text("{\"metrics\": [" + all + "]}", "--metric", {}));
}

using Metrics = std::vector<std::shared_ptr<Metric>>;

Metrics built(const std::vector<Ref<Metric>>& refs, const BuildContext& context) {
  Metrics made;
  for (const auto& ref : refs) made.push_back(ref.build(context));
  return made;
}

void refuse_more_than_labels(const std::vector<Ref<Metric>>& refs, const Metrics& metrics) {
  for (std::size_t i = 0; i < metrics.size(); ++i) {
    const auto wanted = call<PluginError>(place_of(metrics[i]), "", [&] { return metrics[i]->wanted(); });
    const char* lacking = wanted.scores                                 ? "scores"
                          : wanted.segments || wanted.instances         ? "objects"
                          : wanted.overlapping || !wanted.named.empty() ? "outputs of a network"
                                                                        : nullptr;
    if (lacking)
      throw SpecError("/metrics/" + std::to_string(i),
                      "\"" + refs[i].type() + "\" needs " + lacking + ", which label maps do not have");
  }
}

// What one image adds.
struct Counted {
  std::vector<std::vector<at::Tensor>> states;  // by metric
  std::vector<char> seen;                       // by class: in the truth where it counts, or in the prediction there
  std::int64_t ignored = 0, pixels = 0;         // of the truth
  std::vector<std::string> turned;              // files, by their EXIF orientation
  ImageScores::Score score;
  std::string problem;
};

[[noreturn]] void refuse(const ComparedFiles& files, const std::vector<std::string>& problems) {
  std::string all = "cannot be compared with " + files.truth.string() + ":";
  if (problems.size() == 1) throw DataError(files.predictions.string(), all + " " + problems.front());
  for (std::size_t i = 0; i < std::min(kShown, problems.size()); ++i) all += "\n  " + problems[i];
  if (problems.size() > kShown) all += "\n  and " + std::to_string(problems.size() - kShown) + " more";
  throw DataError(files.predictions.string(), all);
}

class LabelMapEvaluation {
 public:
  LabelMapEvaluation(std::vector<Ref<Metric>> refs, const ClassTable& table, const std::vector<int>& ignore,
                     bool per_image)
      : values_(table, ignore), per_image_(per_image) {
    spec_.metrics = std::move(refs);
    context_.labels = std::make_shared<LabelMap>(table.labels());
    names_ = metric_names(spec_);
    seen_.assign(table.classes.size(), 0);
    total_ = built(spec_.metrics, context_);
    refuse_more_than_labels(spec_.metrics, total_);
  }

  // Metrics of its own for each image, whose states are merged in the order of names: no number of threads changes a
  // report.
  Counted count(const LabelMapPair& pair) const {
    const c10::InferenceMode here;
    Counted made;
    Prediction prediction;
    prediction.id = pair.name;
    Truth truth;
    Sample sample, predicted;  // whose pixels the tensors may share
    try {
      auto maps = values_.read(pair);
      made.turned = std::move(maps.turned);
      look_at(maps.truth, maps.prediction, made);
      sample.id = pair.name;
      sample.labels = maps.truth;
      sample.geometry.original = extent(sample.labels);
      predicted.labels = maps.prediction;
      prediction.labels = labels_tensor(predicted);
      truth.labels = labels_tensor(sample);
      truth.sample = std::move(sample);
    } catch (const DataError& error) {
      made.problem = error.what();
      return made;
    } catch (...) {
      made.problem = pair.prediction + ": cannot be compared with " + pair.truth + ": " + reason_of_exception();
      return made;
    }
    made.score.id = pair.name;
    const auto metrics = built(spec_.metrics, context_);
    for (std::size_t i = 0; i < metrics.size(); ++i) {
      const auto place = place_of(metrics[i]);
      call<DataError>(place, pair.name, [&] { metrics[i]->update(prediction, truth); });
      if (per_image_)
        for (auto& value : call<PluginError>(place, pair.name, [&] { return metrics[i]->compute(); }).values)
          made.score.values.emplace_back(names_[i], std::move(value));
      made.states.push_back(call<PluginError>(place, pair.name, [&] { return metrics[i]->state(); }));
    }
    return made;
  }

  void take(Counted one) {
    const c10::InferenceMode here;
    for (std::size_t i = 0; i < total_.size(); ++i)
      call<PluginError>(place_of(total_[i]), one.score.id, [&] { total_[i]->merge(one.states[i]); });
    if (per_image_) scores_.push_back(std::move(one.score));
    for (std::size_t c = 0; c < seen_.size(); ++c) seen_[c] |= one.seen[c];
    ignored_ += one.ignored, pixels_ += one.pixels;
    if (turned_ == 0 && !one.turned.empty()) first_turned_ = one.turned.front();
    turned_ += one.turned.size();
    ++images_;
  }

  // "30.0 % of the pixels are ignored"; empty if none is.
  std::string ignored_share() const {
    if (ignored_ == 0) return {};
    char text[32];
    std::snprintf(text, sizeof text, "%.1f %%", 100. * static_cast<double>(ignored_) / static_cast<double>(pixels_));
    return std::string(text) + " of the pixels are ignored";
  }
  // "2 label maps have an EXIF orientation …"; empty if none has.
  std::string turned() const {
    if (turned_ == 0) return {};
    return std::to_string(turned_) + (turned_ == 1 ? " label map has" : " label maps have") +
           " an EXIF orientation and " + (turned_ == 1 ? "is" : "are") +
           " turned as it says, as datasets do: " + first_turned_ + (turned_ > 1 ? ", …" : "");
  }
  // Names of classes that are nowhere.
  std::vector<std::string> unseen() const {
    std::vector<std::string> names;
    for (std::size_t c = 0; c < seen_.size(); ++c)
      if (!seen_[c]) names.push_back(labels().classes[c].name);
    return names;
  }

  // Of what one image adds: with thousands of classes, a confusion matrix is large.
  std::size_t state_bytes() const {
    std::size_t bytes = 1;
    for (const auto& metric : total_)
      for (const auto& state : call<PluginError>(place_of(metric), "", [&] { return metric->state(); }))
        bytes += state.nbytes();
    return bytes;
  }

  Evaluation finish() const {
    Evaluation made;
    made.images = images_;
    for (std::size_t i = 0; i < total_.size(); ++i) {
      made.reports.emplace_back(names_[i],
                                call<PluginError>(place_of(total_[i]), "", [&] { return total_[i]->compute(); }));
      check_report(names_[i], made.reports.back().second, labels().classes.size());
    }
    return made;
  }

  const LabelMap& labels() const { return *context_.labels; }
  const std::vector<ImageScores::Score>& scores() const { return scores_; }

 private:
  void look_at(const cv::Mat& truth, const cv::Mat& prediction, Counted& made) const {
    made.seen.assign(seen_.size(), 0);
    made.pixels = static_cast<std::int64_t>(truth.total());
    for (int y = 0; y < truth.rows; ++y) {
      const auto *const t = truth.ptr<std::int16_t>(y), *const p = prediction.ptr<std::int16_t>(y);
      for (int x = 0; x < truth.cols; ++x)
        if (t[x] == kIgnore)
          ++made.ignored;
        else
          made.seen[static_cast<std::size_t>(t[x])] = made.seen[static_cast<std::size_t>(p[x])] = 1;
    }
  }

  PipelineSpec spec_;  // of which only the metrics are used
  BuildContext context_;
  LabelValues values_;
  bool per_image_;
  std::vector<std::string> names_;
  Metrics total_;
  std::vector<ImageScores::Score> scores_;
  std::size_t images_ = 0;
  std::vector<char> seen_;
  std::int64_t ignored_ = 0, pixels_ = 0;
  std::size_t turned_ = 0;
  std::string first_turned_;
};

// Masks of 0 and 255 have a class that is ignored unless it is named.
void tell_of_ignored(const CommandLine& line, const LabelMapEvaluation& evaluation) {
  const auto unseen = evaluation.unseen();
  if (line.common.quiet || line.given.count("ignore") || !is_number(line.given["classes"].as<std::string>()) ||
      unseen.empty() || evaluation.ignored_share().empty())
    return;
  std::cerr << "note: " << evaluation.ignored_share() << ", because the value 255 is ignored unless --ignore or a file "
            << "for --classes says otherwise, and " << unseen.size() << " of the classes "
            << (unseen.size() == 1 ? "is" : "are") << " in no label map (" << unseen.front()
            << (unseen.size() > 1 ? ", …" : "")
            << "). If 255 is a class, as in masks of 0 and 255, name its value in a "
            << "file for --classes.\n";
}

}  // namespace

void evaluate_label_maps(const ComparedFiles& files) {
  const auto& line = files.line;
  const auto table = classes_of(line);
  const auto ignore = ignored(line, table);
  LabelMapEvaluation evaluation(metrics_of(line), table, ignore, !files.report.empty());
  std::vector<std::string> problems, notes;
  const auto pairs = label_map_pairs(files.truth, files.predictions, problems, notes);
  const auto tell = [&](const std::string& note) {
    if (!line.common.quiet) std::cerr << "note: " << printable(note) << "\n";
  };
  for (const auto& note : notes) tell(note);
  at::set_num_threads(1);  // threads are those of the files
  Progress progress(line.common.quiet, Progress::Stream::errors);
  const auto fit = kMemory / evaluation.state_bytes();
  const auto workers =
      std::clamp<std::size_t>(fit / 3, 1, static_cast<std::size_t>(std::min(files.threads, kMostWorkers)));
  in_order(
      pairs.size(), static_cast<int>(workers), [&](std::size_t i) { return evaluation.count(pairs[i]); },
      [&](std::size_t i, Counted one) {
        if (one.problem.empty())
          evaluation.take(std::move(one));
        else
          problems.push_back(std::move(one.problem));
        progress.show("evaluating " + std::to_string(i + 1) + "/" + std::to_string(pairs.size()));
      },
      std::clamp<std::size_t>(fit / workers, 1, 16));
  progress.clear();
  if (!problems.empty()) refuse(files, problems);
  const auto result = evaluation.finish();
  tell_of_ignored(line, evaluation);
  if (const auto turned = evaluation.turned(); !turned.empty()) tell(turned);
  if (line.given.count("per-class")) {
    std::cout << sectile::table(result, evaluation.labels());
  } else {
    const auto share = evaluation.ignored_share();
    std::cout << headline(result) << "  (" << result.images << " images" << (share.empty() ? "" : "; ") << share
              << ")\n";
    if (!line.common.quiet)
      for (const auto& [metric, report] : result.reports) std::cout << metric << ": " << report.convention << "\n";
  }
  if (!files.report.empty()) write_report(files.report, result, evaluation.labels(), evaluation.scores());
}

}  // namespace sectile
