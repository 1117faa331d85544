#include "pipeline_spec.h"

#include <algorithm>

#include "host_recipe.h"
#include "json_options.h"
#include "json_writer.h"

namespace sectile {

void PipelineSpec::declare(Options& options) {
  options.add("task", &task, "What to predict.").one_of({"semantic", "instance", "panoptic"});
  options.add("plugin_path", &plugin_path, "Additional plugin folders, searched before the default ones.");
  options.add("data", &data, "Datasets.");
  options.add("transforms", &transforms, "Preprocessing and augmentation.");
  options.add("model", &model, "The network.").required();
  options.add("loss", &loss, "Losses, summed with their weights. Default: the model's own loss.");
  options.add("optimizer", &optimizer, "Optimizer.");
  options.add("schedule", &schedule, "Learning rate schedule.");
  options.add("sampler", &sampler, "Order and choice of training samples in each epoch.");
  options.add(
      "metrics", &metrics,
      "Evaluation metrics, at least one to train and to evaluate. best.pth is selected by the first value of the "
      "first metric, unless best_metric is set.");
  options.add("inference", &inference, "Inference settings for evaluation and prediction.");
  options
      .add("evaluate_at", &evaluate_at,
           "Resolution at which predictions are compared with labels: the size in the file (original) or the network's "
           "input size (input).")
      .one_of({"original", "input"});
  options.add("train", &train, "Training settings.");
  options.add("output", &output, "Output folder of a training run. The command line takes precedence.");
}
void PipelineSpec::Data::declare(Options& options) {
  options.add("train", &train, "Training data, required to train. Defines the classes.");
  options.add("val", &val, "Validation data, evaluated during training to select best.pth. Default: no evaluation.");
  options.add("test", &test, "Test data, for evaluating with the split \"test\".");
  options.add("classes", &classes,
              "For published weights: the classes in the order of the network's outputs, each {\"name\", \"color\"}. "
              "Default: those of the catalogue, if the weights are named by it, or those of the dataset.");
  options.add("classes_file", &classes_file, "The same in a JSON file: {\"classes\": [...]}.");
  options
      .add(
          "channels", &channels,
          "For published weights: channels of the images, before the transforms. Default: those of the catalogue or of "
          "the dataset, or 3.")
      .at_least(1)
      .at_most(512);
  options
      .add(
          "on_bad_sample", &on_bad_sample,
          "What to do with a sample that cannot be read, transformed or evaluated: stop, or skip it. Training replaces "
          "a skipped sample with the next one; evaluation leaves it out. Skipped samples are logged and reported, each "
          "once.")
      .one_of({"stop", "skip"});
}
void PipelineSpec::Data::check(Problems& problems) const {
  if (!classes.empty() && !classes_file.empty())
    problems.add("classes_file", "has no effect with \"classes\": remove one of the two");
  ClassTable table;
  table.classes = classes;
  table.check(problems);
}
void PipelineSpec::Transforms::declare(Options& options) {
  options.add("train", &train, "Transforms of training samples, applied in order.");
  options.add("val", &val, "Transforms for evaluation and prediction, applied in order.");
  options.add("fuse", &fuse,
              "Combine consecutive geometric transforms into one resampling, which is faster and blurs less. Uses the "
              "interpolation of the first one that does more than move whole pixels.");
}
void PipelineSpec::Inference::declare(Options& options) {
  options
      .add("window", &window,
           "Sliding window size: [height, width], or [depth, height, width] for volumes. Default: set by the model, or "
           "the whole image.")
      .at_least(1);
  options.add("overlap", &overlap, "Overlap of neighbouring windows, as a fraction of the window.")
      .at_least(0)
      .at_most(0.9);
  options
      .add(
          "weighting", &weighting,
          "How overlapping windows are averaged: constant weights, or Gaussian weights that are highest at the center.")
      .one_of({"constant", "gaussian"});
}
void PipelineSpec::Inference::check(Problems& problems) const {
  if (!window) return;
  if (window->size() != 2 && window->size() != 3)
    problems.add("window", "has " + std::to_string(window->size()) +
                               " values; expected [height, width] or [depth, height, width]");
  else if (std::int64_t{window->end()[-2]} * window->end()[-1] > 1 << 26)
    problems.add("window", "has more than 67 million pixels in a slice");
}
void PipelineSpec::Train::declare(Options& options) {
  options.add("epochs", &epochs, "Number of training epochs. Default: 10, unless \"steps\" is set.").at_least(1);
  options.add("steps", &steps, "Number of training steps, instead of \"epochs\". Training may stop within an epoch.")
      .at_least(1);
  options.add("batch_size", &batch_size, "Batch size. A smaller dataset is a single batch.").at_least(1);
  options.add("drop_last", &drop_last,
              "Drop the last incomplete batch of an epoch, because batch statistics of few samples are noisy.");
  options
      .add("accumulate", &accumulate,
           "Gradient accumulation: batches per optimizer step, whose gradients are averaged. Of losses that are a mean "
           "over pixels (cross_entropy, focal), batches are weighed by the pixels that count, as in one larger batch; "
           "of "
           "others, such as dice, by their images. Batch norms still see single batches. The last step of an epoch may "
           "have fewer.")
      .at_least(1);
  options
      .add("precision", &precision,
           "Precision of the network: fp32, bf16, fp16 or fp64. With bf16 and fp16, weights and losses stay fp32; fp16 "
           "uses loss scaling.")
      .one_of({"fp32", "bf16", "fp16", "fp64"});
  options.add("deterministic", &deterministic,
              "Use only deterministic algorithms on a GPU; they are slower, and an operation without one is an error. "
              "CPU runs are always reproducible.");
  options.add("seed", &seed, "Random seed for initialization, sampling and augmentation.");
  options.add("workers", &workers, "Data loading threads; 0 loads in the training thread. Does not change results.")
      .at_least(0)
      .at_most(256);
  options.add("validate_every", &validate_every, "Epochs between evaluations. The last epoch is always evaluated.")
      .at_least(1);
  options.add("clip_gradient", &clip_gradient, "Maximum norm of all gradients; 0 turns clipping off.").at_least(0);
  options.add("ema", &ema,
              "Exponential moving average of the weights, used for evaluation and prediction. Default: off.");
  options
      .add("save_every", &save_every,
           "Steps between checkpoints (last.pth), in addition to those after evaluations; 0: only after evaluations.")
      .at_least(0);
  options.add("keep", &keep, "Number of recent checkpoints to keep as step-000100.pth, in addition to last.pth.")
      .at_least(0);
  options.add(
      "best_metric", &best_metric,
      "Metric value that selects best.pth, such as \"iou/mIoU\". Default: the first value of the first metric.");
  options.add("best_is", &best_is, "Whether higher (max) or lower (min) values are better. Default: set by the metric.")
      .one_of({"max", "min"});
  options.add("early_stopping", &early_stopping, "Stop training when evaluations stop improving. Default: off.");
}
void PipelineSpec::Train::check(Problems& problems) const {
  if (epochs && steps) problems.add("steps", "cannot be combined with \"epochs\": set one of them");
}
void PipelineSpec::Ema::declare(Options& options) {
  options.add("decay", &decay, "Decay of the moving average; closer to 1 for longer runs.").at_least(0).at_most(1);
  options.add("warmup", &warmup, "Use a lower decay at first: at most (1 + step) / (10 + step).");
}
void PipelineSpec::EarlyStopping::declare(Options& options) {
  options.add("patience", &patience, "Stop after this many evaluations without improvement.").at_least(1);
  options.add("min_delta", &min_delta, "Minimum change that counts as an improvement.").at_least(0);
}

namespace {

// What a trained network can do without.
std::vector<Problem> missing_for_training(const Json& json) {
  const auto has = [&](const char* pointer) {
    const Json::json_pointer at(pointer);
    return json.contains(at) && !json.at(at).is_null() && json.at(at) != Json::array();
  };
  std::vector<Problem> problems;
  if (!has("/data/train"))
    problems.push_back({"/data", "option \"train\" is missing: training data, which also defines the classes"});
  if (!has("/metrics"))
    problems.push_back({"", "option \"metrics\" is missing: name at least one, such as {\"type\": \"iou\"}"});
  if (problems.size() == 2 && has("/model/weights"))
    for (auto& [pointer, message] : problems)
      message += "; to predict with /model/weights as they are, neither is needed";
  return problems;
}

}  // namespace

PipelineSpec read_spec(const PluginIndex& index, const SpecFile& file, SpecUse use) {
  SpecFile whole = file;
  if (use == SpecUse::training) {
    const auto missing = missing_for_training(file.json);
    whole.problems.insert(whole.problems.end(), missing.begin(), missing.end());
  }
  PipelineSpec spec;
  spec.components = SpecReader{index, whole}.read(&spec, kValueType<PipelineSpec>);
  return spec;
}

void DataSpec::declare(Options& options) {
  options.add("task", &task, "What to predict.").one_of({"semantic", "instance", "panoptic"});
  options.add("data", &data, "Datasets.").required();
}

namespace {

// Reads these parts of a spec, and leaves out the others with everything that is wrong with them.
template <class Part>
Part read_part(const PluginIndex& index, const SpecFile& file, const std::vector<std::string>& keys) {
  SpecFile part = file;
  part.json = Json::object();
  for (const auto& key : keys)
    if (file.json.contains(key)) part.json[key] = file.json[key];
  std::erase_if(part.problems, [&](const Problem& problem) {
    const auto key = problem.pointer.substr(0, problem.pointer.find('/', 1));
    return !key.empty() && std::find(keys.begin(), keys.end(), key.substr(1)) == keys.end() &&
           file.json.contains(key.substr(1));
  });
  Part spec;
  SpecReader{index, part}.read(&spec, kValueType<Part>);
  return spec;
}

}  // namespace

DataSpec read_data_spec(const PluginIndex& index, const SpecFile& file) {
  return read_part<DataSpec>(index, file, {"task", "data"});
}

void SampleSpec::declare(Options& options) {
  options.add("task", &task, "What to predict.").one_of({"semantic", "instance", "panoptic"});
  options.add("data", &data, "Datasets.").required();
  options.add("transforms", &transforms, "Preprocessing and augmentation.");
  options.add("train", &train, "Training settings.");
}

SampleSpec read_sample_spec(const PluginIndex& index, const SpecFile& file) {
  return read_part<SampleSpec>(index, file, {"task", "data", "transforms", "train"});
}

const std::vector<std::string>& network_parts() {
  static const std::vector<std::string> parts{"/model", "/transforms/val"};
  return parts;
}

std::vector<PluginVersion> network_plugins(const PipelineSpec& spec) {
  std::map<std::pair<std::string, std::string>, std::string> versions;
  for (const auto& [pointer, component] : spec.components)
    for (const auto& part : network_parts())
      if ((pointer + "/").starts_with(part + "/")) versions[{component.kind, component.name}] = component.version;
  std::vector<PluginVersion> plugins;
  for (const auto& [name, version] : versions) plugins.push_back({name.first, name.second, version});
  return plugins;
}

std::vector<Ref<Metric>> read_metrics(const PluginIndex& index, const SpecFile& file) {
  struct Holder {
    std::vector<Ref<Metric>> metrics;
    void declare(Options& options) { options.add("metrics", &metrics, "What to measure.").required().not_empty(); }
  } holder;
  SpecReader{index, file}.read(&holder, kValueType<Holder>);
  return holder.metrics;
}

std::vector<Ref<Loss>> loss_by_name(const PluginIndex& index, const std::string& name) {
  struct Holder {
    std::vector<Ref<Loss>> loss;
    void declare(Options& options) { options.add("loss", &loss, "The model's own."); }
  } holder;
  SpecReader{index, {.json = {{"loss", {{{"type", name}}}}}}}.read(&holder, kValueType<Holder>);
  return holder.loss;
}

std::string resolved_text(PipelineSpec spec) { return json_text(resolved(&spec, kValueType<PipelineSpec>)); }

std::vector<std::string> training_differences(PipelineSpec spec, const std::string& text,
                                              const std::filesystem::path& checkpoint) {
  const auto bare = [](Json json) {
    json.erase("plugin_path");
    for (const char* name : {"workers", "save_every", "keep"}) json["train"].erase(name);
    return json.flatten();
  };
  const auto ours = bare(resolved(&spec, kValueType<PipelineSpec>));
  const auto without_paths = bare(resolved(&spec, kValueType<PipelineSpec>, Paths::left_out));
  std::vector<Problem> twice;
  const auto place = checkpoint.string() + ", its spec";
  const auto other = parse_json(text, place, twice);
  if (!other.is_object() || !other.contains("train") || !other["train"].is_object())
    throw SpecError("", place + ": has no object \"train\"; the file is damaged");
  const auto theirs = bare(other);
  const auto is_path = [&](const std::string& pointer) {
    return ours.contains(pointer) && (!without_paths.contains(pointer) || without_paths.at(pointer).is_null());
  };
  std::vector<std::string> pointers;
  for (const auto& [pointer, value] : ours.items())
    if (!is_path(pointer) && (!theirs.contains(pointer) || theirs.at(pointer) != value)) pointers.push_back(pointer);
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

}  // namespace sectile
