#include "pipeline_spec.h"

#include "json_options.h"

namespace sectile {

void PipelineSpec::declare(Options& options) {
  options.add("task", &task, "What is predicted.").one_of({"semantic", "instance", "panoptic"});
  options.add("data", &data, "Where samples come from.");
  options.add("transforms", &transforms, "What happens to them.");
  options.add("model", &model, "The network.").required();
  options.add("loss", &loss, "What training minimises: a weighted sum. Absent: the model's own.");
  options.add("metrics", &metrics, "What evaluation reports.");
  options.add("inference", &inference, "How pictures are fed.");
  options.add("evaluate_at", &evaluate_at, "Whose size truth and prediction are compared in.")
      .one_of({"original", "input"});
  options.add("seed", &seed, "Of every random number.");
}
void PipelineSpec::Data::declare(Options& options) {
  options.add("train", &train, "To learn from.").required();
  options.add("val", &val, "To evaluate on.");
}
void PipelineSpec::Transforms::declare(Options& options) {
  options.add("train", &train, "In order.");
  options.add("val", &val, "In order.");
}
void PipelineSpec::Inference::declare(Options& options) {
  options
      .add("window", &window,
           "Depth, height, width of the sliding window; absent: the model's own, or the whole picture.")
      .at_least(1);
  options.add("overlap", &overlap, "Of neighbouring windows.").at_least(0).at_most(0.9);
}
void PipelineSpec::Inference::check(Problems& problems) const {
  if (window && std::int64_t{(*window)[1]} * (*window)[2] > 1 << 26)
    problems.add("window", "has more than 67 million pixels in a slice");
}

PipelineSpec read_spec(const PluginIndex& index, const SpecFile& file) {
  PipelineSpec spec;
  SpecReader{index, file}.read(&spec, kValueType<PipelineSpec>);
  return spec;
}

PipelineSpec read_spec(const PluginIndex& index, const std::filesystem::path& file,
                       const std::vector<std::string>& changes, std::vector<std::string>& dropped) {
  const auto text = load_spec(file, changes);
  dropped = text.dropped;
  return read_spec(index, text);
}

std::vector<Ref<Loss>> loss_by_name(const PluginIndex& index, const std::string& name) {
  struct Holder {
    std::vector<Ref<Loss>> loss;
    void declare(Options& options) { options.add("loss", &loss, "The model's own."); }
  } holder;
  SpecReader{index, {.json = {{"loss", {{{"type", name}}}}}}}.read(&holder, kValueType<Holder>);
  return holder.loss;
}

std::string resolved_text(PipelineSpec spec) { return resolved(&spec, kValueType<PipelineSpec>).dump(2); }

std::string schema_text(const PluginIndex& index) { return json_schema(index, kValueType<PipelineSpec>).dump(2); }

}  // namespace sectile
