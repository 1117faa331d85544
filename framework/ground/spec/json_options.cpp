#include "json_options.h"

#include <algorithm>
#include <cmath>

#include "../weights/catalogue.h"
#include "host_recipe.h"
#include "suggestion.h"

namespace sectile {
namespace {

namespace fs = std::filesystem;

constexpr int kDeepest = 32;              // nested components; also ends a cycle of defaults
constexpr double kLargestWhole = 0x1p53;  // up to here a double represents every integer

bool is_whole(const Json& json) {
  if (json.is_number_integer()) return true;
  if (!json.is_number_float()) return false;
  const auto number = json.get<double>();  // 1e3 is an integer, as in JSON Schema
  return std::floor(number) == number && std::abs(number) <= kLargestWhole;
}

bool holds(Shape shape, const Json& json) {
  switch (shape) {
    case Shape::boolean:
      return json.is_boolean();
    case Shape::integer:
      return is_whole(json);
    case Shape::number:
      return json.is_number();
    case Shape::array:
      return json.is_array();
    case Shape::map:
    case Shape::group:
    case Shape::component:
      return json.is_object();
    default:
      return json.is_string();
  }
}

std::string wrong_type(const Json& json, const ValueType& type, const Option& option, bool single) {
  std::string message =
      "expected " + (single ? json_type(type.element->shape) + std::string(" or ") : "") + json_type(type.shape) +
      (type.fixed_size ? " of " + std::to_string(type.fixed_size) + " values" : "") + ", found " + quoted(json);
  if (type.shape == Shape::array && type.fixed_size <= 1 && holds(type.element->shape, json)) {
    const bool numbers = json.is_number() && type.fixed_size == 0 && &type == option.type;
    message += numbers ? std::string(": ") + option.help : "; put it in [ ]";  // seldom is one all that is expected
  }
  if (type.shape == Shape::component && json.is_string()) message += "; write {\"type\": " + quoted(json) + "}";
  return message;
}

// Of an array, a map or an optional: what it is made of.
const ValueType& innermost(const ValueType& type) { return type.element ? innermost(*type.element) : type; }

bool is_below(const std::string& pointer, const std::string& part) { return (pointer + "/").starts_with(part + "/"); }

bool is_empty(const Json& json) { return json.is_string() ? json.get<std::string>().empty() : json.empty(); }

class Walk {
 public:
  Walk(const SpecReader& reader, std::vector<Problem>& problems) : reader_(reader), problems_(problems) {}

  struct Group {
    void* value;
    const ValueType* type;
  };

  // Reads one object into one or two groups: it contains a component's own options and those of its kind. `others`:
  // keys that are read elsewhere.
  void object(const Json& json, std::initializer_list<Group> groups, const std::string& pointer,
              std::vector<std::string> others = {}) {
    auto& names = others;
    for (const auto& group : groups) read_group(json, group, pointer, names);
    for (const auto& [key, unused] : json.items())
      if (!std::count(names.begin(), names.end(), key))
        problem(pointer + "/" + escape(key), "unknown option" + suggestion(key, names));
  }

  std::map<std::string, PluginVersion> components() && { return std::move(components_); }

  // Once, after the last problem that it may explain.
  void add_search_report() {
    if (last_unknown_) problems_[*last_unknown_].message += search_report(reader_.index);
  }

 private:
  void problem(const std::string& pointer, const std::string& message) { problems_.push_back({pointer, message}); }

  void read_group(const Json& json, const Group& group, const std::string& pointer, std::vector<std::string>& names) {
    Options options;
    group.type->declare(group.value, options);
    const auto before = problems_.size();
    for (const auto& option : options.all()) {
      if (std::count(names.begin(), names.end(), option->name))
        problem(pointer, std::string("option \"") + option->name + "\" is declared twice");
      names.push_back(option->name);
      auto found = json.find(option->name);
      if (found == json.end() && !option->old_name.empty()) {
        found = json.find(names.emplace_back(option->old_name));
        if (found != json.end())
          reader_.file.notes->push_back(
              {pointer + "/" + option->old_name, std::string("is now called \"") + option->name + "\""});
      }
      if (found != json.end())
        read(*found, option->value, *option->type, *option, pointer + "/" + escape(found.key()));
      else
        absent(*option, pointer);
    }
    if (group.type->check && problems_.size() == before) {  // rules about several options need valid values
      Problems relative(problems_, pointer);
      group.type->check(group.value, relative);
    }
  }

  // An option that is not in the spec: its default may contain components.
  void absent(const Option& option, const std::string& pointer) {
    const auto below = pointer + "/" + escape(option.name);
    if (is_unused(*option.type, below)) return;
    if (option.is_required)
      return problem(pointer, std::string("option \"") + option.name + "\" is missing: " + option.help);
    if (!holds_components(*option.type)) return;
    const auto written = write_value(option.value, *option.type, option);
    if (!written.is_null()) read(written, option.value, *option.type, option, below);
  }

  // Also groups: they may contain components.
  static bool holds_components(const ValueType& type) {
    const auto shape = innermost(type).shape;
    return shape == Shape::component || shape == Shape::group;
  }

  // Components of a checkpoint's spec that this use of it does not need, such as the losses for prediction.
  bool is_unused(const ValueType& type, const std::string& pointer) const {
    const auto& embedded = reader_.file.embedded;
    return embedded && innermost(type).shape == Shape::component &&
           std::none_of(embedded->parts.begin(), embedded->parts.end(),
                        [&](const std::string& part) { return is_below(pointer, part); });
  }

  // Of the checkpoint's list; null: it has none.
  const PluginVersion* listed_plugin(const std::string& kind, const std::string& name) const {
    for (const auto& plugin : reader_.file.embedded->plugins)
      if (plugin.kind == kind && plugin.name == name) return &plugin;
    return nullptr;
  }

  // Without a suggestion: the name was right where the checkpoint was made.
  std::string missing_plugin(const std::string& kind, const std::string& name) const {
    const auto* plugin = listed_plugin(kind, name);
    return "this checkpoint's " + kind + " comes from plugin " +
           quoted(Json(plugin ? name + " " + plugin->version : name)) + "; name its folder with " +
           reader_.file.embedded->plugin_option;
  }

  void compare_version(const std::string& kind, const std::string& name, const std::string& pointer) {
    const auto* plugin = listed_plugin(kind, name);
    const auto ours = reader_.index.entry(kind, name).version;
    if (plugin && plugin->version != ours)
      reader_.file.notes->push_back({pointer, "plugin \"" + name + "\" has version " + ours +
                                                  ", and the checkpoint was made with " +
                                                  quoted(Json(plugin->version))});
  }

  void component(const Json& json, AnyRef& reference, const std::string& kind, const std::string& pointer) {
    const auto type = json.find("type");
    if (type == json.end()) {
      const auto known = reader_.index.names(kind);
      std::string list;
      for (const auto& name : known) list += (list.empty() ? "; known: " : ", ") + name;
      return problem(pointer, "does not name a " + kind + ": \"type\" is missing" + list);
    }
    if (!type->is_string()) return problem(pointer + "/type", "expected string, found " + quoted(*type));
    const auto name = type->get<std::string>();
    if (!reader_.index.knows(kind, name)) {
      last_unknown_ = problems_.size();
      return problem(pointer + "/type", reader_.file.is_embedded(pointer + "/type")
                                            ? missing_plugin(kind, name)
                                            : unknown_component(reader_.index, kind, name));
    }
    if (reader_.file.embedded) compare_version(kind, name, pointer + "/type");
    if (depth_ == kDeepest)
      return problem(pointer, "components are nested more than " + std::to_string(kDeepest) + " deep");
    const auto* found = load(kind, name, pointer);
    if (!found) return;
    ++depth_;
    const auto plugin = reader_.index.entry(kind, name);
    const auto recipe = std::make_shared<HostRecipe>(*found, pointer, plugin);
    object(json, {{recipe->common_options.get(), found->common}, {recipe->options.get(), found->options}}, pointer,
           {"type"});
    reference.set(name, recipe);
    components_[pointer] = {kind, name, plugin.version};
    --depth_;
  }

  const Component* load(const std::string& kind, const std::string& name, const std::string& pointer) {
    try {
      return &reader_.index.load(kind, name);
    } catch (const PluginError& error) {
      problem(pointer + "/type", error.what());
      return nullptr;
    }
  }

  struct Item {
    const Json& json;
    std::string pointer;
  };
  void array(const std::vector<Item>& items, void* value, const ValueType& type, const Option& option,
             const std::string& pointer) {
    if (type.fixed_size && items.size() != type.fixed_size)
      return problem(pointer,
                     "expected " + std::to_string(type.fixed_size) + " values, found " + std::to_string(items.size()));
    type.clear(value);
    for (std::size_t i = 0; i < items.size(); ++i)
      read(items[i].json, type.insert(value, i, ""), *type.element, option, items[i].pointer);
  }

  void read(const Json& json, void* value, const ValueType& type, const Option& option, const std::string& pointer) {
    if (is_unused(type, pointer)) return;
    if (type.shape == Shape::optional) {
      type.clear(value);
      if (!json.is_null()) read(json, type.insert(value, 0, ""), *type.element, option, pointer);
      return;
    }
    const bool single = takes_single(option, type);
    if (single && holds(type.element->shape, json)) return array({{json, pointer}}, value, type, option, pointer);
    if (!holds(type.shape, json)) return problem(pointer, wrong_type(json, type, option, single));
    const bool may_be_empty = type.shape == Shape::group || type.shape == Shape::component || !option.must_not_be_empty;
    if (!may_be_empty && is_empty(json)) return problem(pointer, "must not be empty");
    switch (type.shape) {
      case Shape::array: {
        std::vector<Item> items;
        for (std::size_t i = 0; i < json.size(); ++i) items.push_back({json[i], pointer + "/" + std::to_string(i)});
        return array(items, value, type, option, pointer);
      }
      case Shape::map:
        type.clear(value);
        for (const auto& [key, item] : json.items())
          read(item, type.insert(value, 0, key), *type.element, option, pointer + "/" + escape(key));
        return;
      case Shape::group:
        return object(json, {{value, &type}}, pointer);
      case Shape::component:
        return component(json, type.reference(value), type.kind, pointer);
      default:
        return scalar(json, value, type, option, pointer);
    }
  }

  void scalar(const Json& json, void* value, const ValueType& type, const Option& option, const std::string& pointer) {
    if (json.is_number()) {
      const auto number = json.get<double>();
      if (option.minimum && number < *option.minimum)
        return problem(pointer, json.dump() + " is too small: at least " + limit(*option.minimum));
      if (option.maximum && number > *option.maximum)
        return problem(pointer, json.dump() + " is too large: at most " + limit(*option.maximum));
      return number_into(json, value, type, pointer);
    }
    if (json.is_boolean()) {
      type.store(value, json.get<bool>());
      return;
    }
    auto text = json.get<std::string>();
    Scalar found = text;
    if (!option.choices.empty()) {
      const auto choice = std::find(option.choices.begin(), option.choices.end(), text);
      if (choice == option.choices.end())
        return problem(pointer, "unknown value " + quoted(json) + suggestion(text, option.choices));
      if (type.shape == Shape::choice) found = std::int64_t{choice - option.choices.begin()};
    }
    if (type.shape == Shape::path && text.find('\0') != std::string::npos)
      return problem(pointer, "contains a zero character, which no file name has");
    if (type.shape == Shape::path && !text.empty()) {
      const auto path =
          reader_.file.is_embedded(pointer) ? fs::path(text) : located(text, reader_.file.folder(pointer));
      if (!path) return problem(pointer, quoted(json) + " starts with an environment variable that is not set");
      try {
        const bool is_name =
            option.takes_published && !reader_.file.is_embedded(pointer) && published_entry(text, *path);
        found = is_name ? text : path->string();
      } catch (const DataError& error) {
        return problem(pointer, error.what());
      }
    }
    type.store(value, found);
  }

  void number_into(const Json& json, void* value, const ValueType& type, const std::string& pointer) {
    const auto too_long = json.is_number_unsigned() && json.get<std::uint64_t>() > std::uint64_t{INT64_MAX};
    const auto fits = type.shape == Shape::number ? type.store(value, json.get<double>())
                                                  : !too_long && type.store(value, json.get<std::int64_t>());
    if (!fits) problem(pointer, json.dump() + " is too large or too small for this option's whole numbers");
  }

  static std::string limit(double value) {
    return std::floor(value) == value && std::abs(value) < kLargestWhole
               ? std::to_string(static_cast<std::int64_t>(value))
               : Json(value).dump();
  }

  const SpecReader& reader_;
  std::vector<Problem>& problems_;
  std::optional<std::size_t> last_unknown_;  // the last problem with an unknown component
  int depth_ = 0;
  std::map<std::string, PluginVersion> components_;
};

}  // namespace

std::map<std::string, PluginVersion> SpecReader::read(void* group, const ValueType& type) const {
  auto problems = file.problems;
  Walk walk(*this, problems);
  walk.object(file.json, {{group, &type}}, "");
  walk.add_search_report();
  if (!problems.empty()) throw SpecError(std::move(problems));
  return std::move(walk).components();
}

}  // namespace sectile
