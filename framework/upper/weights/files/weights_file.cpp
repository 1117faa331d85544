#include "weights_file.h"

#include <algorithm>
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

// The names of a module's attributes in an object: a module that was saved as a whole keeps them in three dictionaries,
// a script as attributes.
class Collector {
 public:
  State state;

  void value(const PythonValue& value, const std::string& name) {
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
};

State collected(const PythonValue& value) {
  Collector collector;
  collector.value(value, "");
  return std::move(collector.state);
}

bool is_module(const PythonValue& value) { return value.object() || value.find("_parameters"); }

// All dictionaries and objects with tensors of their own, or of their modules, by their path.
void find_dictionaries(const PythonValue& value, const std::string& path, int depth,
                       std::vector<std::pair<std::string, const PythonValue*>>& found) {
  constexpr int kDeepest = 3;
  if (is_module(value)) {
    if (!collected(value).empty()) found.emplace_back(path, &value);
    return;
  }
  const auto* dict = value.dict();
  if (!dict) return;
  if (std::any_of(dict->begin(), dict->end(),
                  [](const auto& item) { return item.second.template as<at::Tensor>() != nullptr; }))
    found.emplace_back(path, &value);
  if (depth == kDeepest) return;
  for (const auto& [key, item] : *dict)
    if (const auto* name = key.as<std::string>())
      find_dictionaries(item, path.empty() ? *name : path + "/" + *name, depth + 1, found);
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
  find_dictionaries(root, "", 0, found);
  for (const auto& [path, value] : found)
    if (!path.empty()) content.keys.push_back(path);
  if (!key.empty()) {
    const auto* value = at_path(root, key);
    if (value) content.state = collected(*value);
    if (content.state.empty())
      throw DataError(
          file, "has no tensors under \"" + key + "\"" +
                    (content.keys.empty() ? "; leave out the key" : "; it has some under " + listed(content.keys)));
    content.key = key;
    return;
  }
  const auto* format = root.find("format") ? root.find("format")->as<std::string>() : nullptr;
  content.checkpoint = format && format->starts_with("sectile-");
  if (const auto* ema = root.find("ema"); ema && content.checkpoint)
    if (content.state = collected(*ema); !content.state.empty()) {
      content.key = "ema";
      content.averaged = true;
      return;
    }
  // A dictionary of a usual name takes precedence over single tensors next to it, such as a best score.
  for (const auto& usual : kUsual)
    if (const auto* value = root.dict() ? root.find(usual) : nullptr)
      if (content.state = collected(*value); !content.state.empty()) {
        content.key = usual;
        return;
      }
  content.state = collected(root);
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
