#include "pipeline_spec.h"

#include "host_recipe.h"
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
  options.add("sampler", &sampler, "Which samples an epoch of training sees, and in which order.");
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
  options
      .add("on_bad_sample", &on_bad_sample,
           "What happens when a sample cannot be read: stop the run, or skip it (training takes the next one instead, "
           "evaluation goes without), note it in the log and report it at the end.")
      .one_of({"stop", "skip"});
}
void PipelineSpec::Transforms::declare(Options& options) {
  options.add("train", &train, "Of training samples, in order.");
  options.add("val", &val, "Of all other samples, in evaluation and prediction, in order.");
  options.add("fuse", &fuse,
              "Whether neighbouring changes of geometry are done in one resampling, which is faster and blurs less; "
              "pixels are interpolated as the first of them says that does not only move whole pixels.");
}
void PipelineSpec::Inference::declare(Options& options) {
  options
      .add("window", &window,
           "Size of a sliding window: [height, width], of volumes also [depth, height, width]. Absent: the model's "
           "own, or "
           "the whole image.")
      .at_least(1);
  options.add("overlap", &overlap, "Share of a window that its neighbour covers too.").at_least(0).at_most(0.9);
  options
      .add("weighting", &weighting,
           "Weight of a window's pixels where windows overlap: the same for all, or a Gaussian that trusts its centre "
           "most.")
      .one_of({"constant", "gaussian"});
}
void PipelineSpec::Inference::check(Problems& problems) const {
  if (!window) return;
  if (window->size() != 2 && window->size() != 3)
    problems.add("window", "has " + std::to_string(window->size()) +
                               " values; [height, width] are wanted, or [depth, height, width]");
  else if (std::int64_t{window->end()[-2]} * window->end()[-1] > 1 << 26)
    problems.add("window", "has more than 67 million pixels in a slice");
}
void PipelineSpec::Train::declare(Options& options) {
  options.add("epochs", &epochs, "How many epochs training takes. Left out: 10, or as many as \"steps\" asks for.")
      .at_least(1);
  options.add("steps", &steps, "How many steps training takes, in place of \"epochs\"; it may end inside an epoch.")
      .at_least(1);
  options.add("batch_size", &batch_size, "Samples per batch; all of them where there are fewer.").at_least(1);
  options.add("drop_last", &drop_last,
              "Whether an incomplete last batch of an epoch is left out: batch statistics of few samples disturb.");
  options
      .add("accumulate", &accumulate,
           "Batches per step: their gradients are averaged, as if the batch were so many times larger (batch norms "
           "still see one). The last step of an epoch may have fewer.")
      .at_least(1);
  options
      .add(
          "precision", &precision,
          "Of the network: fp32; bf16 or fp16 where that is safe (weights and losses stay fp32; fp16 scales its loss); "
          "fp64 for tests.")
      .one_of({"fp32", "bf16", "fp16", "fp64"});
  options.add(
      "deterministic", &deterministic,
      "Only algorithms that give the same bits each time, also on a GPU; slower there, and an error where there "
      "is none. On the CPU runs repeat anyway.");
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
  options.add("ema", &ema, "Keeps a running mean of the weights, which is evaluated and predicts. Absent: none.");
  options
      .add("save_every", &save_every, "Steps between saves to last.pth, besides those at evaluations; 0: only those.")
      .at_least(0);
  options.add("keep", &keep, "How many of the latest saves stay beside last.pth, as step-000100.pth.").at_least(0);
  options.add("best_metric", &best_metric,
              "What best.pth is chosen by, such as \"iou/mIoU\". Left out: the first value of the first metric.");
  options.add("best_is", &best_is, "Whether the largest or the smallest value is the best.").one_of({"max", "min"});
  options.add("early_stopping", &early_stopping, "Ends training when evaluations get no better. Absent: never.");
}
void PipelineSpec::Train::check(Problems& problems) const {
  if (epochs && steps) problems.add("steps", "and \"epochs\" both say how long training takes: give one of them");
}
void PipelineSpec::Ema::declare(Options& options) {
  options.add("decay", &decay, "How much of the mean a step keeps; closer to 1 for longer runs.")
      .at_least(0)
      .at_most(1);
  options.add("warmup", &warmup, "Keep less at the beginning: at most (1 + step) / (10 + step).");
}
void PipelineSpec::EarlyStopping::declare(Options& options) {
  options.add("patience", &patience, "So many evaluations in a row may bring no better value.").at_least(1);
  options.add("min_delta", &min_delta, "By how much a value must be better to count.").at_least(0);
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

std::vector<std::string> training_differences(const std::string& resolved, const std::string& other) {
  const auto bare = [](const std::string& text) {
    auto json = Json::parse(text);
    for (const char* name : {"output", "plugin_path"}) json.erase(name);
    for (const char* name : {"workers", "save_every", "keep"}) json.at("train").erase(name);
    return json.flatten();
  };
  const auto ours = bare(resolved), theirs = bare(other);
  std::vector<std::string> pointers;
  for (const auto& [pointer, value] : ours.items())
    if (!theirs.contains(pointer) || theirs.at(pointer) != value) pointers.push_back(pointer);
  for (const auto& [pointer, value] : theirs.items())
    if (!ours.contains(pointer)) pointers.push_back(pointer);
  return pointers;
}

PlainValues plain_values(const AnyRef& component) {
  const auto& recipe = dynamic_cast<const HostRecipe&>(component.recipe());
  Options options;
  recipe.component.options->declare(recipe.options.get(), options);
  PlainValues values;
  for (const auto& option : options.all()) {
    if (option->type->shape == Shape::choice)
      values[option->name] =
          option->choices.at(static_cast<std::size_t>(std::get<std::int64_t>(option->type->load(option->value))));
    else if (option->type->load)
      values[option->name] = option->type->load(option->value);
    if (option->type->shape != Shape::array || !option->type->element->load) continue;
    struct Into {
      std::vector<Scalar> list;
      const ValueType& element;
    } into{{}, *option->type->element};
    option->type->visit(
        option->value,
        [](const std::string&, void* element, void* context) {
          auto& [list, type] = *static_cast<Into*>(context);
          list.push_back(type.load(element));
        },
        &into);
    values[option->name] = std::move(into.list);
  }
  return values;
}

std::string schema_text(const PluginIndex& index) { return json_schema(index, kValueType<PipelineSpec>).dump(2); }

}  // namespace sectile
