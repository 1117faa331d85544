#include "pipeline_spec.h"

#include "json_options.h"

namespace sectile {

void PipelineSpec::declare(Options& options) {
  options.add("task", &task, "What is predicted.").one_of({"semantic", "instance", "panoptic"});
  options.add("plugin_path", &plugin_path, "Further folders with plugins, searched before the usual ones.");
  options.add("data", &data, "Where samples come from.").required();
  options.add("transforms", &transforms, "What happens to samples before they become a batch.");
  options.add("model", &model, "The network.").required();
  options.add("loss", &loss, "What training minimises: a weighted sum. Absent: the model's own.");
  options.add("optimizer", &optimizer, "What turns gradients into new weights.");
  options.add("schedule", &schedule, "How the learning rate changes during training.");
  options.add("metrics", &metrics, "What evaluation reports; the first value of the first one chooses best.pth.")
      .required()
      .not_empty();
  options.add("inference", &inference, "How pictures are fed to the network outside training.");
  options
      .add("evaluate_at", &evaluate_at,
           "Whose size truth and prediction are compared in: the file's, or the network's input.")
      .one_of({"original", "input"});
  options.add("train", &train, "How long and how the network learns.");
  options.add("output", &output, "Folder that a training run writes to; --output on the command line comes first.");
}
void PipelineSpec::Data::declare(Options& options) {
  options.add("train", &train, "To learn from. Says which classes there are.").required();
  options.add("val", &val, "To evaluate on during training and to choose best.pth by. Absent: no evaluation.");
  options.add("test", &test, "To evaluate on afterwards, with --split test.");
}
void PipelineSpec::Transforms::declare(Options& options) {
  options.add("train", &train, "Of training samples, in order.");
  options.add("val", &val, "Of all other samples, in evaluation and prediction, in order.");
}
void PipelineSpec::Inference::declare(Options& options) {
  options
      .add("window", &window,
           "Depth, height, width of a sliding window. Absent: the model's own, or the whole picture.")
      .at_least(1);
  options.add("overlap", &overlap, "Share of a window that its neighbour covers too.").at_least(0).at_most(0.9);
}
void PipelineSpec::Inference::check(Problems& problems) const {
  if (window && std::int64_t{(*window)[1]} * (*window)[2] > 1 << 26)
    problems.add("window", "has more than 67 million pixels in a slice");
}
void PipelineSpec::Train::declare(Options& options) {
  options.add("epochs", &epochs, "How often every training sample is seen.").at_least(1);
  options.add("batch_size", &batch_size, "Samples per step. An incomplete last batch of an epoch is left out.")
      .at_least(1);
  options.add("precision", &precision, "Of the network: fp32, or bf16 where that is safe (losses stay fp32).")
      .one_of({"fp32", "bf16"});
  options.add("seed", &seed, "Of every random number: weights, order, transforms.");
  options
      .add("workers", &workers,
           "Threads that read and transform samples; 0: none beside the one that trains. "
           "Changes no result.")
      .at_least(0)
      .at_most(256);
  options.add("validate_every", &validate_every, "Epochs between evaluations; the last epoch is always evaluated.")
      .at_least(1);
  options.add("clip_gradient", &clip_gradient, "Largest norm of all gradients together; 0: no limit.").at_least(0);
}

PipelineSpec read_spec(const PluginIndex& index, const SpecFile& file) {
  PipelineSpec spec;
  SpecReader{index, file}.read(&spec, kValueType<PipelineSpec>);
  return spec;
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
