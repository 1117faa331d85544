#include "checkpoint.h"

#include <cmath>
#include <limits>

#include <ATen/core/Tensor.h>

#include <sectile/error.h>

#include "loading.h"

namespace sectile {
namespace {

namespace fs = std::filesystem;

constexpr const char* kFormat = "sectile-1";
constexpr std::size_t kMostClasses = std::numeric_limits<std::int16_t>::max();  // the type of labels
constexpr std::int64_t kMostChannels = 512;                                     // of an image: OpenCV's CV_CN_MAX

// A member of the checkpoint's dict; throws if it is missing or of another type.
template <class T>
const T& member(const PythonValue& from, const char* name, const fs::path& file) {
  const auto* found = from.find(name);
  const auto* value = found ? found->as<T>() : nullptr;
  if (!value)
    throw DataError(file, std::string("is a damaged checkpoint: \"") + name + "\" is missing or of another type");
  return *value;
}

StateDict tensors(const PythonValue& from) {
  StateDict state;
  if (const auto* items = from.dict())
    for (const auto& [name, item] : *items)
      if (const auto* text = name.as<std::string>(); text && item.as<at::Tensor>())
        state[*text] = *item.as<at::Tensor>();
  return state;
}

template <class T>
PythonList list_of(const std::vector<T>& values) {
  return {values.begin(), values.end()};
}

template <class T>
std::vector<T> values_of(const PythonValue& from, const char* name, const fs::path& file) {
  std::vector<T> values;
  for (const auto& item : *member<std::shared_ptr<PythonList>>(from, name, file))
    if (const auto* value = item.as<T>()) values.push_back(*value);
  return values;
}

PythonValue or_none(const std::optional<double>& value) { return value ? PythonValue(*value) : PythonValue(); }

std::optional<double> maybe(const PythonValue& from, const char* name) {
  const auto* found = from.find(name);
  const auto* value = found ? found->as<double>() : nullptr;
  return value ? std::optional(*value) : std::nullopt;
}

PythonDict dict_of(const StateDict& state) {
  PythonDict dict;
  for (const auto& [name, tensor] : state) dict.emplace_back(name, tensor);
  return dict;
}

PythonDict dict_of(const std::map<std::string, DataIdentity>& data) {
  PythonDict dict;
  for (const auto& [split, identity] : data)
    dict.emplace_back(split, PythonDict{{"samples", identity.samples}, {"ids", identity.ids}});
  return dict;
}

PythonList classes_of(const LabelMap& labels) {
  PythonList classes;
  for (const auto& label : labels.classes)
    classes.push_back(PythonDict{{"name", label.name},
                                 {"color", PythonList{label.color[0], label.color[1], label.color[2]}},
                                 {"thing", label.thing},
                                 {"category_id", label.category_id}});
  return classes;
}

LabelMap labels_of(const PythonValue& from, const fs::path& file) {
  LabelMap labels;
  labels.overlapping = member<bool>(from, "overlapping", file);
  for (const auto& item : *member<std::shared_ptr<PythonList>>(from, "classes", file)) {
    LabelClass label;
    label.name = member<std::string>(item, "name", file);
    label.thing = member<bool>(item, "thing", file);
    label.category_id = member<std::int64_t>(item, "category_id", file);
    const auto& color = *member<std::shared_ptr<PythonList>>(item, "color", file);
    for (std::size_t i = 0; i < label.color.size() && i < color.size(); ++i)
      if (const auto* value = color[i].as<std::int64_t>()) label.color[i] = static_cast<std::uint8_t>(*value);
    labels.classes.push_back(std::move(label));
  }
  if (labels.classes.empty()) throw DataError(file, "is a damaged checkpoint: it has no classes");
  if (labels.classes.size() > kMostClasses)
    throw DataError(file, "has " + std::to_string(labels.classes.size()) + " classes, and up to " +
                              std::to_string(kMostClasses) + " are supported");
  return labels;
}

PythonList list_of(const std::vector<PluginVersion>& plugins) {
  PythonList list;
  for (const auto& [kind, name, version] : plugins)
    list.push_back(PythonDict{{"kind", kind}, {"name", name}, {"version", version}});
  return list;
}

std::vector<PluginVersion> plugins_of(const PythonValue& content, const fs::path& file) {
  std::vector<PluginVersion> plugins;
  if (content.find("plugins"))
    for (const auto& item : *member<std::shared_ptr<PythonList>>(content, "plugins", file))
      plugins.push_back({member<std::string>(item, "kind", file), member<std::string>(item, "name", file),
                         member<std::string>(item, "version", file)});
  return plugins;
}

// A number that others depend on, within its limits.
std::int64_t number(const PythonValue& from, const char* name, std::int64_t least, std::int64_t most,
                    const fs::path& file) {
  const auto value = member<std::int64_t>(from, name, file);
  if (value < least || value > most)
    throw DataError(file, std::string("is a damaged checkpoint: \"") + name + "\" is " + std::to_string(value));
  return value;
}

Resumption resumption_of(const PythonValue& content, const fs::path& file) {
  const auto part = [&](const char* name) -> const PythonValue& {
    const auto* found = content.find(name);
    if (!found || !found->dict())
      throw DataError(file, std::string("is a damaged checkpoint: \"") + name + "\" is missing or no dict");
    return *found;
  };
  const auto &run = part("run"), &scaler = part("scaler");
  Resumption resumption;
  resumption.optimizer = part("optimizer");
  resumption.rng = tensors(part("rng"));
  resumption.loss_scale = member<double>(scaler, "scale", file);
  if (!(resumption.loss_scale > 0 && std::isfinite(resumption.loss_scale)))
    throw DataError(file, "is a damaged checkpoint: the scale of its loss is " + std::to_string(resumption.loss_scale));
  resumption.growth_tracker = member<std::int64_t>(scaler, "_growth_tracker", file);
  if (const auto* api = run.find("api"); api && api->as<std::int64_t>()) resumption.api = *api->as<std::int64_t>();
  resumption.evaluations = values_of<double>(run, "evaluations", file);
  resumption.best = maybe(run, "best");
  resumption.best_epoch = member<std::int64_t>(run, "best_epoch", file);
  resumption.evaluation_due = member<bool>(run, "evaluation_due", file);
  resumption.seconds = member<double>(run, "seconds", file);
  resumption.bad_samples = values_of<std::string>(run, "bad_samples", file);
  if (const auto* data = run.find("data"); data && data->dict())
    for (const auto& [name, identity] : *data->dict())
      if (const auto* split = name.as<std::string>())
        resumption.data[*split] = {member<std::int64_t>(identity, "samples", file),
                                   member<std::string>(identity, "ids", file)};
  return resumption;
}

std::string names(const std::vector<std::string>& all) {
  std::string text;
  for (std::size_t i = 0; i < all.size() && i < 3; ++i) text += (i ? ", " : "") + all[i];
  return all.size() > 3 ? text + " and " + std::to_string(all.size() - 3) + " more" : text;
}

}  // namespace

void save_checkpoint(const fs::path& file, const Checkpoint& checkpoint) {
  PythonDict content{{"format", kFormat},
                     {"spec", checkpoint.spec},
                     {"model_type", checkpoint.model_type},
                     {"plugins", list_of(checkpoint.plugins)},
                     {"classes", classes_of(checkpoint.labels)},
                     {"overlapping", checkpoint.labels.overlapping},
                     {"channels", checkpoint.channels},
                     {"image_channels", checkpoint.image_channels},
                     {"dimensions", checkpoint.dimensions},
                     {"epoch", checkpoint.epoch},
                     {"step", checkpoint.step},
                     {"metric_name", checkpoint.metric_name},
                     {"metric", or_none(checkpoint.metric)},
                     {"model", dict_of(checkpoint.model)}};
  if (!checkpoint.ema.empty()) content.emplace_back("ema", dict_of(checkpoint.ema));
  if (checkpoint.resumption) {
    const auto& run = *checkpoint.resumption;
    content.emplace_back("optimizer", run.optimizer);
    content.emplace_back("rng", dict_of(run.rng));
    content.emplace_back("scaler", PythonDict{{"scale", run.loss_scale}, {"_growth_tracker", run.growth_tracker}});
    content.emplace_back("run", PythonDict{{"api", std::int64_t{SECTILE_API_VERSION}},
                                           {"evaluations", list_of(run.evaluations)},
                                           {"best", or_none(run.best)},
                                           {"best_epoch", run.best_epoch},
                                           {"evaluation_due", run.evaluation_due},
                                           {"seconds", run.seconds},
                                           {"bad_samples", list_of(run.bad_samples)},
                                           {"data", dict_of(run.data)}});
  }
  write_torch_file(file, content);
}

Checkpoint load_checkpoint(const fs::path& file) {
  const auto content = read_torch_file(file).content;
  const auto* format = content.find("format");
  const auto* text = format ? format->as<std::string>() : nullptr;
  if (!text)
    throw DataError(file,
                    "is a torch.save file but not a Sectile checkpoint; to start training from its weights, name it in "
                    "the model's option \"weights\"");
  if (*text != kFormat)
    throw DataError(file, "has format \"" + *text + "\", and this version reads \"" + kFormat + "\"");
  Checkpoint checkpoint;
  checkpoint.spec = member<std::string>(content, "spec", file);
  checkpoint.model_type = member<std::string>(content, "model_type", file);
  checkpoint.plugins = plugins_of(content, file);
  checkpoint.labels = labels_of(content, file);
  checkpoint.channels = static_cast<int>(number(content, "channels", 1, kMostChannels, file));
  checkpoint.image_channels = content.find("image_channels")  // which older versions did not tell apart
                                  ? static_cast<int>(number(content, "image_channels", 1, kMostChannels, file))
                                  : checkpoint.channels;
  checkpoint.dimensions = static_cast<int>(number(content, "dimensions", 2, 3, file));
  checkpoint.epoch = number(content, "epoch", 0, std::numeric_limits<std::int32_t>::max(), file);
  checkpoint.step = number(content, "step", 0, std::numeric_limits<std::int64_t>::max(), file);
  checkpoint.metric_name = member<std::string>(content, "metric_name", file);
  checkpoint.metric = maybe(content, "metric");
  if (const auto* model = content.find("model")) checkpoint.model = tensors(*model);
  if (const auto* ema = content.find("ema")) checkpoint.ema = tensors(*ema);
  if (content.find("run")) checkpoint.resumption = resumption_of(content, file);
  return checkpoint;
}

void load_into(torch::nn::Module& module, const StateDict& weights, const std::string& model_type,
               const fs::path& file) {
  std::vector<std::string> different;
  const auto ours = state_dict(module);
  for (const auto& [name, tensor] : ours)
    if (const auto found = weights.find(name); found == weights.end() || found->second.sizes() != tensor.sizes())
      different.push_back(name);
  std::vector<std::string> over;
  for (const auto& [name, tensor] : weights)
    if (!ours.count(name)) over.push_back(name);
  if (!different.empty() || !over.empty())
    throw DataError(file, "has weights of a different network than this \"" + model_type + "\"" +
                              (different.empty() ? "" : "; missing or of another shape: " + names(different)) +
                              (over.empty() ? "" : "; not known to it: " + names(over)) +
                              ". Use the spec it was trained with, or the checkpoint without a spec");
  load_state(module, weights);
}

}  // namespace sectile
