// A whole spec, read and checked without LibTorch, and what the commands print about specs and components. No JSON
// here.
#pragma once

#include <map>
#include <string>
#include <variant>
#include <vector>

#include <sectile/context.h>
#include <sectile/data/class_table.h>

#include "../plugins/plugin_index.h"
#include "spec_text.h"

namespace sectile {

// An options struct, with the same reader, schema and messages as components.
struct PipelineSpec {
  enum class EvaluateAt { original, input };
  enum class Precision { fp32, bf16, fp16, fp64 };
  enum class BadSample { stop, skip };
  enum class Best { max, min };
  struct Data {
    Ref<Dataset> train, val, test;
    std::vector<ClassEntry> classes;  // of published weights, here or in a file
    std::filesystem::path classes_file;
    std::optional<int> channels;
    BadSample on_bad_sample = BadSample::stop;
    void declare(Options& options);
    void check(Problems& problems) const;
  };
  struct Transforms {
    std::vector<Ref<Transform>> train, val;
    bool fuse = false;
    void declare(Options& options);
  };
  struct Inference {
    enum class Weighting { constant, gaussian };
    std::optional<std::vector<int>> window;
    double overlap = 0.5;
    Weighting weighting = Weighting::constant;
    void declare(Options& options);
    void check(Problems& problems) const;
  };
  struct Ema {
    double decay = 0.999;
    bool warmup = true;
    void declare(Options& options);
  };
  struct EarlyStopping {
    int patience = 10;
    double min_delta = 0;
    void declare(Options& options);
  };
  struct Train {
    std::optional<int> epochs;
    std::optional<std::int64_t> steps;
    int batch_size = 4;
    bool drop_last = true;
    int accumulate = 1;
    Precision precision = Precision::fp32;
    bool deterministic = false;
    std::int64_t seed = 1;
    int workers = 2;
    int validate_every = 1;
    double clip_gradient = 0;
    std::optional<Ema> ema;
    std::int64_t save_every = 0;
    int keep = 0;
    std::string best_metric;
    std::optional<Best> best_is;
    std::optional<EarlyStopping> early_stopping;
    void declare(Options& options);
    void check(Problems& problems) const;
  };
  Task task = Task::semantic;
  std::vector<std::filesystem::path> plugin_path;
  Data data;
  Transforms transforms;
  Ref<Model> model;
  std::vector<Ref<Loss>> loss;
  Ref<Optimizer> optimizer{"adamw"};
  Ref<Schedule> schedule{"constant"};
  Ref<Sampler> sampler{"shuffle"};
  std::vector<Ref<Metric>> metrics;
  Inference inference;
  EvaluateAt evaluate_at = EvaluateAt::original;
  Train train;
  std::filesystem::path output;
  std::map<std::string, PluginVersion> components;  // of the whole spec, by pointer; set by read_spec
  void declare(Options& options);
};

// The data of a spec. Its other parts are not read: they may be missing or wrong, and need no plugins.
struct DataSpec {
  Task task = Task::semantic;
  PipelineSpec::Data data;
  void declare(Options& options);
};
// Throws SpecError with all problems of these parts.
DataSpec read_data_spec(const PluginIndex& index, const SpecFile& file);

// The data of a spec with its transforms and the settings of training, of which loading samples needs the seed,
// likewise: what comes before a network.
struct SampleSpec {
  Task task = Task::semantic;
  PipelineSpec::Data data;
  PipelineSpec::Transforms transforms;
  PipelineSpec::Train train;
  void declare(Options& options);
};
SampleSpec read_sample_spec(const PluginIndex& index, const SpecFile& file);  // throws SpecError as read_data_spec

// What a trained network is made of, in the spec: evaluation also needs a dataset and the metrics.
const std::vector<std::string>& network_parts();
std::vector<PluginVersion> network_plugins(const PipelineSpec& spec);  // of those parts, each once

enum class SpecUse { training, network };  // a trained network needs neither training data nor metrics
// Throws SpecError with all problems.
PipelineSpec read_spec(const PluginIndex& index, const SpecFile& file, SpecUse use = SpecUse::training);
// The metrics of a spec that has nothing else. Throws SpecError.
std::vector<Ref<Metric>> read_metrics(const PluginIndex& index, const SpecFile& file);
std::vector<Ref<Loss>> loss_by_name(const PluginIndex& index, const std::string& name);  // with default options

// With all defaults and absolute paths, so that it can be read again from any folder on this machine.
std::string resolved_text(PipelineSpec spec);
// Differences from the resolved spec of a checkpoint that affect training, by pointer: not the number of loader
// threads, how often checkpoints are saved, or where files are. Throws SpecError if that spec is damaged.
std::vector<std::string> training_differences(PipelineSpec spec, const std::string& text,
                                              const std::filesystem::path& checkpoint);

// The values of a component's own options that are numbers, booleans, strings, or lists of those, by name.
using PlainValues = std::map<std::string, std::variant<Scalar, std::vector<Scalar>>>;
PlainValues plain_values(const AnyRef& component);

}  // namespace sectile
