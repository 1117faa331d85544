#include "weights_file.h"

#include <algorithm>
#include <utility>

#include <sectile/error.h>

#include "file_format.h"
#include "named_entries.h"
#include "safetensors.h"
#include "torch/python_calls.h"
#include "torch/python_value.h"
#include "torch/torch_file.h"

namespace sectile {
namespace {

namespace fs = std::filesystem;
constexpr const char* kEverything = ".";
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
  // everything: also tensors in lists, and of keys that are numbers, which no network has.
  Collector(const fs::path& file, NameBudget& budget, bool everything)
      : file_(file), budget_(budget), everything_(everything) {}

  State state;
  std::vector<std::string> left_out;

  void collect(const PythonValue& root) {
    root_ = &root;
    value(root, "");
  }

 private:
  void value(const PythonValue& value, const std::string& name) {
    if (const auto* tensor = value.as<at::Tensor>()) return add(*tensor, name);
    if (!value.list() && !value.dict() && !value.object()) return;
    budget_.look_at(name);
    if (value.find("_parameters") && value.find("_modules")) {
      module(value, name);
    } else if (const auto* object = value.object()) {
      const auto* why = value.find(kUnread) ? value.find(kUnread)->as<std::string>() : nullptr;
      if (why) return leave_out(name, *why);
      items(object->attributes, name);
      if (object->instance) list(object->arguments, name);
    } else if (const auto* dict = value.dict()) {
      items(*dict, name);
    } else {
      list(*value.list(), name);
    }
  }
  void leave_out(const std::string& name, const std::string& why) {
    if (searched_) return;
    budget_.keep(name);
    left_out.push_back(name + " (" + why + ")");
  }
  void add(const at::Tensor& tensor, const std::string& name) {
    if (!why_not_.empty()) return leave_out(name, why_not_);
    if (searched_) {
      budget_.look_at(name);
      if (name != *searched_) return;
      places_ += places_.empty() ? "" : " and ";
      for (const auto& key : keys_) places_ += "[\"" + key + "\"]";
      return;
    }
    budget_.keep(name);
    if (state.emplace(name, tensor).second) return;
    Collector search(file_, budget_, everything_);
    search.searched_ = &name;
    search.collect(*root_);
    throw DataError(file_, "has two tensors of the name " + name + ": " + search.places_ +
                               "; rename one, or choose a dictionary that has only one of them");
  }
  void inside(const std::string& key, const PythonValue& item, const std::string& name, const char* why_not) {
    const bool first = why_not && !everything_ && why_not_.empty();
    if (first) why_not_ = why_not;
    keys_.push_back(key);
    value(item, name);
    keys_.pop_back();
    if (first) why_not_.clear();
  }
  void items(const PythonDict& dict, const std::string& prefix) {
    for (const auto& entry : entries_of(dict, budget_))
      inside(entry.name(), *entry.value, joined(prefix, entry.name()), entry.why_not());
  }
  void list(const PythonList& list, const std::string& prefix) {
    for (std::size_t i = 0; i < list.size(); ++i)
      if (const auto& item = list[i]; item.as<at::Tensor>() || item.list() || item.dict() || item.object())
        inside(std::to_string(i), item, joined(prefix, std::to_string(i)), "in a list");
  }
  void module(const PythonValue& value, const std::string& prefix) {
    std::vector<std::string> transient;
    if (const auto* names = value.find("_non_persistent_buffers_set"); names && names->list())
      for (const auto& name : *names->list())
        if (name.as<std::string>()) transient.push_back(*name.as<std::string>());
    for (const char* part : {"_parameters", "_buffers", "_modules"}) {
      const auto* dict = value.find(part) ? value.find(part)->dict() : nullptr;
      if (!dict) continue;
      for (const auto& entry : entries_of(*dict, budget_))
        if (std::string(part) != "_buffers" ||
            std::find(transient.begin(), transient.end(), entry.name()) == transient.end())
          inside(entry.name(), *entry.value, joined(prefix, entry.name()), nullptr);
    }
  }

  const fs::path& file_;
  NameBudget& budget_;
  const bool everything_;
  std::string why_not_;            // tensors where it is now are left out
  std::vector<std::string> keys_;  // where it is now
  const PythonValue* root_ = nullptr;
  const std::string* searched_ = nullptr;  // only the places of this name are looked for
  std::string places_;
};

bool has_tensor(const PythonDict& dict) {
  return std::any_of(dict.begin(), dict.end(), [](const auto& item) { return item.second.template as<at::Tensor>(); });
}

Collector collected(const PythonValue& value, const fs::path& file, NameBudget& budget, bool everything = false) {
  Collector collector(file, budget, everything);
  collector.collect(value);
  return collector;
}

bool is_module(const PythonValue& value) { return value.object() || value.find("_parameters"); }

// What a file offers besides what is taken from it.
class Survey {
 public:
  explicit Survey(NameBudget& budget) : budget_(budget) {}

  // The paths of all dictionaries and objects with tensors of their own, or of their modules.
  std::vector<std::string> dictionaries(const PythonValue& root) {
    std::vector<std::string> found;
    find_dictionaries(root, "", 0, found);
    return found;
  }
  // The paths of other parts with tensors than the one that was taken.
  std::vector<std::string> other_parts(const PythonValue& root, const std::string& taken) {
    std::vector<std::string> found;
    find_others(root, "", taken, found);
    return found;
  }
  // Plain values of a state dict, beside its tensors: counters, class values.
  std::vector<std::string> not_tensors(const PythonValue& value) {
    std::vector<std::string> names;
    const auto* dict = value.dict();
    if (!dict || !has_tensor(*dict)) return names;
    for (const auto& [key, item] : *dict)
      if (const auto* name = key.as<std::string>(); name && !item.dict() && !item.object() && !has_tensors(item))
        names.push_back(*name);
    return names;
  }

 private:
  static std::string inside(const std::string& path, const std::string& name) {
    return path.empty() ? name : path + "/" + name;
  }

  void find_dictionaries(const PythonValue& value, const std::string& path, int depth,
                         std::vector<std::string>& found) {
    constexpr int kDeepest = 3;
    budget_.look_at(path);
    if (value.find(kUnread)) return;
    if (is_module(value)) {
      if (!path.empty() && has_tensors(value)) budget_.keep(path), found.push_back(path);
      return;
    }
    const auto* dict = value.dict();
    if (!dict) return;
    if (!path.empty() && has_tensor(*dict)) budget_.keep(path), found.push_back(path);
    if (depth == kDeepest) return;
    for (const auto& entry : entries_of(*dict, budget_))
      if (!entry.why_not()) find_dictionaries(*entry.value, inside(path, entry.name()), depth + 1, found);
  }

  void find_others(const PythonValue& value, const std::string& path, const std::string& taken,
                   std::vector<std::string>& found) {
    if (path == taken || !value.dict()) return;
    for (const auto& entry : entries_of(*value.dict(), budget_)) {
      const auto part = inside(path, entry.name());
      budget_.look_at(part);
      if (taken.starts_with(part + "/"))
        find_others(*entry.value, part, taken, found);
      else if (part != taken && has_tensors(*entry.value))
        budget_.keep(part), found.push_back(part);
    }
  }

  // Anywhere inside, also such that are not read.
  bool has_tensors(const PythonValue& value) {
    if (value.as<at::Tensor>()) return true;
    const auto* list = value.object() ? &value.object()->arguments : value.list();
    const auto* dict = value.object() ? &value.object()->attributes : value.dict();
    if (list || dict) budget_.look_at(std::string_view());
    if (value.find(kUnread)) return true;
    return (list && std::any_of(list->begin(), list->end(), [this](const auto& item) { return has_tensors(item); })) ||
           (dict && std::any_of(dict->begin(), dict->end(), [this](const auto& i) { return has_tensors(i.second); }));
  }

  NameBudget& budget_;
};

// The dictionary that is asked for; a dictionary of dictionaries is one of parts: {"encoder": …, "decoder": …}. A key
// of the file may contain a slash itself.
const PythonValue* at_path(const PythonValue& root, const std::string& path) {
  if (const auto* value = root.find(path)) return value;
  for (auto slash = path.find('/'); slash != std::string::npos; slash = path.find('/', slash + 1))
    if (const auto* part = root.find(path.substr(0, slash)))
      if (const auto* value = at_path(*part, path.substr(slash + 1))) return value;
  return nullptr;
}

std::string listed(const std::vector<std::string>& names) {
  constexpr std::size_t kShown = 8;
  std::string text;
  for (std::size_t i = 0; i < names.size() && i < kShown; ++i) text += (i ? ", \"" : "\"") + names[i] + "\"";
  return names.size() > kShown ? text + ", …" : text;
}

std::size_t own_tensors(const PythonDict& dict) {
  return static_cast<std::size_t>(
      std::count_if(dict.begin(), dict.end(), [](const auto& item) { return item.second.template as<at::Tensor>(); }));
}

// Of a state dict of several networks: {"student.w": …, "teacher.w": …}.
bool take_prefix(WeightsContent& content, const State& all, const std::string& key) {
  const auto prefix = key + ".";
  std::set<std::string> others;
  for (const auto& [name, tensor] : all)
    if (name.starts_with(prefix))
      content.state.emplace(name.substr(prefix.size()), tensor);
    else
      others.insert(name.substr(0, name.find('.')));
  if (content.state.empty()) return false;
  content.key = key;
  content.elsewhere.assign(others.begin(), others.end());
  return true;
}

std::vector<std::string> class_names(const PythonValue* list) {
  std::vector<std::string> names;
  const auto* const items = list ? list->as<std::shared_ptr<PythonList>>() : nullptr;
  if (!items) return names;
  for (const auto& item : **items) {
    const auto* const name = item.find("name");
    const auto* const text = name ? name->as<std::string>() : nullptr;
    names.push_back(text ? *text : "");
  }
  return names;
}

void choose(WeightsContent& content, const PythonValue& root, const std::string& key, const fs::path& file) {
  NameBudget budget(file);
  Survey survey(budget);
  content.keys = survey.dictionaries(root);
  const auto take = [&](const PythonValue* value, const std::string& name, std::size_t least = 1) {
    if (!value || value->as<at::Tensor>()) return false;
    auto taken = collected(*value, file, budget, key == kEverything);
    content.left_out = std::move(taken.left_out);
    if (taken.state.size() < least) return false;
    content.state = std::move(taken.state);
    content.not_tensors = survey.not_tensors(*value);
    content.key = name;
    if (!name.empty()) content.elsewhere = survey.other_parts(root, name);
    return true;
  };
  if (key == kEverything) {
    take(&root, "");
    return;
  }
  if (!key.empty()) {
    if (take(at_path(root, key), key) || take_prefix(content, collected(root, file, budget).state, key)) return;
    throw DataError(file, "has no tensors under \"" + key + "\"" +
                              (content.keys.empty() ? "" : "; it has some under " + listed(content.keys)) +
                              "; without a key, those of the usual one are taken, and with the key \".\" all");
  }
  const auto* format = root.find("format") ? root.find("format")->as<std::string>() : nullptr;
  content.checkpoint = format && format->starts_with("sectile-");
  if (content.checkpoint) content.classes = class_names(root.find("classes"));
  content.averaged = content.checkpoint && take(root.find("ema"), "ema");
  if (content.averaged) return;
  // A dictionary of a usual name takes precedence over fewer tensors next to it, such as a best score.
  if (root.dict())
    for (const auto& usual : kUsual)
      if (take(root.find(usual), usual, std::max<std::size_t>(1, own_tensors(*root.dict())))) return;
  take(&root, "");
}

fs::path file_in(const fs::path& folder) {
  std::error_code unknown;
  if (!fs::is_directory(folder, unknown)) return folder;
  for (const char* name :
       {"model.safetensors.index.json", "model.safetensors", "pytorch_model.bin.index.json", "pytorch_model.bin"})
    if (fs::is_regular_file(folder / name, unknown)) return folder / name;
  throw DataError(folder, "is a folder without model.safetensors or pytorch_model.bin; name a file");
}

std::set<std::string> names_of(const State& state) {
  std::set<std::string> names;
  for (const auto& item : state) names.insert(item.first);
  return names;
}

}  // namespace

std::set<fs::path> files_of_weights(const fs::path& file_or_folder) {
  const auto file = file_in(file_or_folder);
  std::set<fs::path> files{file};
  if (format_of(file) == WeightsFormat::index) files.merge(indexed_files(file));
  return files;
}

WeightsContent read_weights(const fs::path& file_or_folder, const std::string& key) {
  const auto file = file_in(file_or_folder);
  WeightsContent content;
  const auto format = format_of(file);
  if (format == WeightsFormat::safetensors || format == WeightsFormat::index) {
    if (!key.empty() && key != kEverything)
      throw DataError(file, "has no dictionaries, so that none can be chosen by the key \"" + key + "\"");
    content.format = format == WeightsFormat::index ? "index" : "safetensors";
    auto read = format == WeightsFormat::index ? read_indexed(file) : read_safetensors(file);
    content.state = std::move(read.tensors);
    content.spare = std::move(read.aliases);
    content.left_out = std::move(read.left_out);
  } else {
    auto read = read_torch_file(file);
    content.format = read.script                       ? "TorchScript"
                     : format == WeightsFormat::legacy ? "torch.save before PyTorch 1.6"
                                                       : "torch.save";
    content.not_called = read.script ? std::set<std::string>() : std::move(read.not_called);
    choose(content, read.content, key, file);
    if (read.script) content.spare = names_of(content.state);  // it does not say which are parameters or buffers
  }
  if (content.state.empty())
    throw DataError(file,
                    "has no named tensors" + (content.left_out.empty() ? "" : ", besides " + listed(content.left_out)));
  return content;
}

}  // namespace sectile
