// A whole spec, read and checked without LibTorch, and what the commands say about specs and components. No JSON here.
#pragma once

#include <sectile/context.h>

#include "../plugins/plugin_index.h"

namespace sectile {

// An options struct like any other: one reader, one schema, one kind of message.
struct PipelineSpec {
  enum class EvaluateAt { original, input };
  struct Data {
    Ref<Dataset> train, val;
    void declare(Options& options);
  };
  struct Transforms {
    std::vector<Ref<Transform>> train, val;
    void declare(Options& options);
  };
  struct Inference {
    std::optional<std::array<int, 3>> window;
    double overlap = 0.5;
    void declare(Options& options);
    void check(Problems& problems) const;
  };
  Task task = Task::semantic;
  Data data;
  Transforms transforms;
  Ref<Model> model;
  std::vector<Ref<Loss>> loss;
  std::vector<Ref<Metric>> metrics;
  Inference inference;
  EvaluateAt evaluate_at = EvaluateAt::original;
  std::int64_t seed = 1;
  void declare(Options& options);
};

struct SpecFile;
PipelineSpec read_spec(const PluginIndex& index, const SpecFile& file);  // throws SpecError with every problem
PipelineSpec read_spec(const PluginIndex& index, const std::filesystem::path& file,
                       const std::vector<std::string>& changes, std::vector<std::string>& dropped);
std::vector<Ref<Loss>> loss_by_name(const PluginIndex& index, const std::string& name);  // with its defaults

std::string resolved_text(PipelineSpec spec);
std::string schema_text(const PluginIndex& index);
std::string describe_text(const PluginIndex& index, const std::string& kind, const std::string& name);

}  // namespace sectile
