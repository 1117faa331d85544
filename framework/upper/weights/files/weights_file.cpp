#include "weights_file.h"

#include <algorithm>
#include <cstdint>
#include <utility>

#include <sectile/error.h>

#include "file_format.h"
#include "safetensors.h"
#include "torch/python_value.h"
#include "torch/torch_file.h"

namespace sectile {
namespace {

namespace fs = std::filesystem;
using State = std::map<std::string, at::Tensor>;

// Names of dictionaries that hold a network's weights, the likeliest first.
const std::vector<std::string> kUsual{"state_dict", "model_state_dict", "model_state", "model",          "net",
                                      "network",    "params_ema",       "params",      "weights",        "module",
                                      "ema",        "model_ema",        "ema_model",   "state_dict_ema", "teacher"};

std::string joined(const std::string& prefix, const std::string& name) {
  return prefix.empty() ? name : prefix + "." + name;
}

// Dictionaries may be shared: with few bytes, a file may have any number of paths to the same tensor. This limits their
// names to some of its size.
class NameBudget {
 public:
  explicit NameBudget(const fs::path& file) : file_(file), left_(kLeast + kShare * fs::file_size(file)) {}

  void spend(const std::string& name) {
    constexpr std::uint64_t kEntry = 128;  // of a map
    const auto cost = kEntry + name.size();
    if (cost > left_)
      throw DataError(file_, "has the same dictionaries in one another so many times that its names do not end");
    left_ -= cost;
  }

 private:
  static constexpr std::uint64_t kLeast = 16 << 20, kShare = 16;
  fs::path file_;
  std::uint64_t left_;
};

// The names of a module's attributes in an object: a module that was saved as a whole keeps them in three dictionaries,
// a script as attributes.
class Collector {
 public:
  explicit Collector(NameBudget& budget) : budget_(budget) {}

  State state;

  void value(const PythonValue& value, const std::string& name) {
    budget_.spend(name);
    if (const auto* tensor = value.as<at::Tensor>()) {
      state.emplace(name, *tensor);
    } else if (value.find("_parameters") && value.find("_modules")) {
      module(value, name);
    } else if (const auto* object = value.object()) {
      items(object->attributes, name);
    } else if (const auto* dict = value.dict()) {
      items(*dict, name);
    }
  }

 private:
  void items(const PythonDict& dict, const std::string& prefix) {
    for (const auto& [key, item] : dict)
      if (const auto* name = key.as<std::string>()) value(item, joined(prefix, *name));
  }
  void module(const PythonValue& value, const std::string& prefix) {
    std::vector<std::string> transient;
    if (const auto* names = value.find("_non_persistent_buffers_set"); names && names->list())
      for (const auto& name : *names->list())
        if (name.as<std::string>()) transient.push_back(*name.as<std::string>());
    for (const char* part : {"_parameters", "_buffers", "_modules"}) {
      const auto* dict = value.find(part) ? value.find(part)->dict() : nullptr;
      if (!dict) continue;
      for (const auto& [key, item] : *dict)
        if (const auto* name = key.as<std::string>();
            name && (std::string(part) != "_buffers" ||
                     std::find(transient.begin(), transient.end(), *name) == transient.end()))
          this->value(item, joined(prefix, *name));
    }
  }

  NameBudget& budget_;
};

bool has_tensor(const PythonDict& dict) {
  return std::any_of(dict.begin(), dict.end(), [](const auto& item) { return item.second.template as<at::Tensor>(); });
}

State collected(const PythonValue& value, NameBudget& budget) {
  Collector collector(budget);
  collector.value(value, "");
  return std::move(collector.state);
}

// Plain values of a state dict, beside its tensors: counters, class values.
std::vector<std::string> not_tensors(const PythonValue& value) {
  std::vector<std::string> names;
  const auto* dict = value.dict();
  if (!dict || !has_tensor(*dict)) return names;
  for (const auto& [key, item] : *dict)
    if (const auto* name = key.as<std::string>(); name && !item.as<at::Tensor>() && !item.dict() && !item.object())
      names.push_back(*name);
  return names;
}

bool is_module(const PythonValue& value) { return value.object() || value.find("_parameters"); }

// All dictionaries and objects with tensors of their own, or of their modules, by their path.
void find_dictionaries(const PythonValue& value, const std::string& path, int depth, NameBudget& budget,
                       std::vector<std::pair<std::string, const PythonValue*>>& found) {
  constexpr int kDeepest = 3;
  budget.spend(path);
  if (is_module(value)) {
    if (!collected(value, budget).empty()) found.emplace_back(path, &value);
    return;
  }
  const auto* dict = value.dict();
  if (!dict) return;
  if (has_tensor(*dict)) found.emplace_back(path, &value);
  if (depth == kDeepest) return;
  for (const auto& [key, item] : *dict)
    if (const auto* name = key.as<std::string>())
      find_dictionaries(item, path.empty() ? *name : path + "/" + *name, depth + 1, budget, found);
}

// The dictionary that is asked for; a dictionary of dictionaries is one of parts: {"encoder": …, "decoder": …}.
const PythonValue* at_path(const PythonValue& root, const std::string& path) {
  const auto* value = &root;
  for (std::size_t at = 0; value && at <= path.size();) {
    const auto end = std::min(path.find('/', at), path.size());
    value = value->find(path.substr(at, end - at));
    at = end + 1;
  }
  return value;
}

std::string listed(const std::vector<std::string>& names) {
  constexpr std::size_t kShown = 8;
  std::string text;
  for (std::size_t i = 0; i < names.size() && i < kShown; ++i) text += (i ? ", \"" : "\"") + names[i] + "\"";
  return names.size() > kShown ? text + ", …" : text;
}

void choose(WeightsContent& content, const PythonValue& root, const std::string& key, const fs::path& file) {
  std::vector<std::pair<std::string, const PythonValue*>> found;
  NameBudget budget(file);
  find_dictionaries(root, "", 0, budget, found);
  for (const auto& [path, value] : found)
    if (!path.empty()) content.keys.push_back(path);
  const auto take = [&](const PythonValue* value, const std::string& name) {
    if (value && !value->as<at::Tensor>()) content.state = collected(*value, budget);
    if (content.state.empty()) return false;
    content.not_tensors = not_tensors(*value);
    content.key = name;
    return true;
  };
  if (!key.empty()) {
    if (!take(at_path(root, key), key))
      throw DataError(
          file, "has no tensors under \"" + key + "\"" +
                    (content.keys.empty() ? "; leave out the key" : "; it has some under " + listed(content.keys)));
    return;
  }
  const auto* format = root.find("format") ? root.find("format")->as<std::string>() : nullptr;
  content.checkpoint = format && format->starts_with("sectile-");
  content.averaged = content.checkpoint && take(root.find("ema"), "ema");
  if (content.averaged) return;
  // A dictionary of a usual name takes precedence over single tensors next to it, such as a best score.
  for (const auto& usual : kUsual)
    if (root.dict() && take(root.find(usual), usual)) return;
  take(&root, "");
}

}  // namespace

WeightsContent read_weights(const fs::path& file, const std::string& key) {
  std::error_code unknown;
  if (fs::is_directory(file, unknown)) {
    for (const char* name :
         {"model.safetensors.index.json", "model.safetensors", "pytorch_model.bin.index.json", "pytorch_model.bin"})
      if (fs::is_regular_file(file / name, unknown)) return read_weights(file / name, key);
    throw DataError(file, "is a folder without model.safetensors or pytorch_model.bin; name a file");
  }
  WeightsContent content;
  const auto format = format_of(file);
  if (format == WeightsFormat::safetensors || format == WeightsFormat::index) {
    if (!key.empty())
      throw DataError(file, "has no dictionaries, so that none can be chosen by the key \"" + key + "\"");
    content.format = format == WeightsFormat::index ? "index" : "safetensors";
    content.state = format == WeightsFormat::index ? read_indexed(file) : read_safetensors(file).tensors;
  } else {
    auto read = read_torch_file(file);
    content.format = read.script                       ? "TorchScript"
                     : format == WeightsFormat::legacy ? "torch.save before PyTorch 1.6"
                                                       : "torch.save";
    content.not_called = read.script ? std::set<std::string>() : std::move(read.not_called);
    choose(content, read.content, key, file);
  }
  if (content.state.empty()) throw DataError(file, "has no named tensors");
  return content;
}

}  // namespace sectile
