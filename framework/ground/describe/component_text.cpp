#include "component_text.h"

#include <algorithm>
#include <iomanip>
#include <sstream>

#include "../spec/json_writer.h"
#include "../spec/pipeline_spec.h"
#include "../spec/suggestion.h"
#include "example.h"
#include "json_schema.h"

namespace sectile {
namespace {

constexpr std::size_t kWidth = 100;

std::vector<std::string> all_kinds() { return {std::begin(kKinds), std::end(kKinds)}; }

void demand_kind(const PluginIndex& index, const std::string& kind) {
  const auto kinds = all_kinds();
  if (kind.empty() || std::count(kinds.begin(), kinds.end(), kind)) return;
  std::string message = "unknown kind \"" + kind + "\"" + suggestion(kind, kinds);
  if (const auto its = index.kinds_of(kind); !its.empty())
    message = "\"" + kind + "\" is not a kind but a " + its.front() + ": sectile describe " + its.front() + " " + kind;
  throw SpecError("", message);
}

// The requested entry; throws SpecError.
PluginIndex::Entry entry_of(const PluginIndex& index, const std::string& kind, const std::string& name) {
  if (!kind.empty()) {
    demand_kind(index, kind);
    if (!index.knows(kind, name)) throw SpecError("", unknown_component(index, kind, name) + search_report(index));
    return index.entry(kind, name);
  }
  const auto kinds = index.kinds_of(name);
  if (kinds.size() == 1) return index.entry(kinds.front(), name);
  if (kinds.empty()) {
    if (const auto all = all_kinds(); std::count(all.begin(), all.end(), name))
      throw SpecError("", "\"" + name + "\" is a kind, and its components are described one by one: sectile describe " +
                              name + " NAME; sectile list " + name + " has their names");
    std::vector<std::string> names;
    for (const auto& entry : index.all()) names.push_back(entry.name);
    throw SpecError("", "unknown component \"" + name + "\"" + suggestion(name, names) + search_report(index));
  }
  std::string message = "\"" + name + "\" names several components; choose one:";
  for (const auto& its : kinds) message += "\n  sectile describe " + its + " " + name;
  throw SpecError("", message);
}

std::string wrapped(const std::string& text, std::size_t indent) {
  std::istringstream words(text);
  std::string out, line(indent, ' ');
  for (std::string word; words >> word;) {
    if (line.size() > indent && line.size() + 1 + word.size() > kWidth) {
      out += line + "\n";
      line.assign(indent, ' ');
    }
    line += (line.size() > indent ? " " : "") + word;
  }
  return out + line + "\n";
}

std::string number(double value) {
  std::ostringstream out;
  out << std::setprecision(12) << value;
  return out.str();
}

std::string range_text(const Option& option) {
  if (option.minimum && option.maximum) return number(*option.minimum) + " to " + number(*option.maximum);
  if (option.minimum) return "at least " + number(*option.minimum);
  if (option.maximum) return "at most " + number(*option.maximum);
  return "";
}

// The values of a type, such as "array of 2 numbers, 0 to 1".
std::string type_text(const ValueType& type, const Option& option) {
  const auto with_range = [&](const std::string& name) {
    const auto range = range_text(option);
    return name + (range.empty() ? "" : ", " + range);
  };
  switch (type.shape) {
    case Shape::boolean:
      return "true or false";
    case Shape::integer:
      return with_range("whole number");
    case Shape::number:
      return with_range("number");
    case Shape::path:
      return "path";
    case Shape::string:
    case Shape::choice: {
      std::string choices;
      for (const auto& choice : option.choices) choices += (choices.empty() ? "\"" : " | \"") + choice + "\"";
      return choices.empty() ? "string" : choices;
    }
    case Shape::array:
      if (takes_single(option, type)) return type_text(*type.element, option) + ", or an array of such";
      return "array of " + (type.fixed_size ? std::to_string(type.fixed_size) + " × " : "") +
             type_text(*type.element, option);
    case Shape::optional:
      return type_text(*type.element, option) + ", or null";
    case Shape::map:
      return "object of name: " + type_text(*type.element, option);
    case Shape::group:
      return "object";
    case Shape::component:
      return std::string(type.kind) + " component";
  }
  return "";
}

const ValueType& innermost(const ValueType& type) { return type.element ? innermost(*type.element) : type; }

void describe_group(std::string& out, const ValueType& group, const std::string& prefix) {
  const auto values = group.make();
  Options options;
  group.declare(values.get(), options);
  for (const auto& option : options.all()) {
    const auto name = prefix + option->name;
    const auto& inner = innermost(*option->type);
    out += "  " + name + ": " + type_text(*option->type, *option);
    if (option->must_not_be_empty) out += ", not empty";
    if (option->is_required)
      out += "; required";
    else if (inner.shape != Shape::group || option->type != &inner) {
      const auto value = write_value(option->value, *option->type, *option);
      out += value.is_null() ? "; optional" : "; default " + value.dump();
    }
    if (!option->old_name.empty()) out += "; was called " + option->old_name;
    out += "\n" + wrapped(option->help, 6);
    if (inner.shape == Shape::group) {
      const std::string part = option->type == &inner ? "/" : option->type->shape == Shape::array ? "/0/" : "/NAME/";
      describe_group(out, inner, name + (option->type->shape == Shape::optional ? "/" : part));
    }
  }
}

// How the component is written in a spec.
std::string place_in_spec(const std::string& kind, const Json& component) {
  Json spec;
  if (kind == "dataset")
    spec["data"]["train"] = component;
  else if (kind == "transform")
    spec["transforms"]["train"] = Json::array({component});
  else if (kind == "backbone")
    spec["model"] = {{"type", "…"}, {"backbone", component}};
  else if (kind == "loss")
    spec["loss"] = Json::array({component});
  else if (kind == "metric")
    spec["metrics"] = Json::array({component});
  else
    spec[kind] = component;
  return spec.dump();
}

Json json_of(const PluginIndex::Entry& entry) {
  Json json{{"kind", entry.kind},
            {"name", entry.name},
            {"version", entry.version},
            {"summary", entry.summary},
            {"file", entry.file.string()}};
  if (!entry.problem.empty()) json["problem"] = entry.problem;
  return json;
}

std::string indented(std::string text) {
  for (auto at = text.find('\n'); at != std::string::npos; at = text.find('\n', at + 1)) text.insert(at + 1, "  ");
  return text;
}

}  // namespace

std::string list_text(const PluginIndex& index, const std::string& kind) {
  demand_kind(index, kind);
  std::size_t kind_width = 0, name_width = 0, version_width = 0;
  for (const auto& entry : index.all()) {
    kind_width = std::max(kind_width, entry.kind.size());
    name_width = std::max(name_width, entry.name.size());
    version_width = std::max(version_width, entry.version.size());
  }
  const auto padded = [](const std::string& text, std::size_t width) {
    return text + std::string(width + 2 - std::min(text.size(), width), ' ');
  };
  std::string table, below;
  for (const auto& entry : index.all()) {
    if (!kind.empty() && entry.kind != kind) continue;
    table += padded(entry.kind, kind_width) + padded(entry.name, name_width) + padded(entry.version, version_width) +
             entry.summary + "\n";
    if (!entry.problem.empty()) below += "unusable: " + entry.file.string() + ": " + indented(entry.problem) + "\n";
  }
  if (table.empty())
    table = "no plugin provides a " + (kind.empty() ? "component" : kind) + search_report(index) + "\n";
  for (const auto& [entry, by] : index.shadowed())
    if (kind.empty() || entry.kind == kind)
      below += "shadowed: " + entry.kind + " " + entry.name + " " + entry.version + " of " + entry.file.string() +
               ", by " + by.string() + "\n";
  for (const auto& [path, problem] : index.skipped()) below += "skipped: " + path.string() + ": " + problem + "\n";
  return table + (below.empty() ? "" : "\n" + below);
}

std::string list_json(const PluginIndex& index, const std::string& kind) {
  demand_kind(index, kind);
  Json components = Json::array(), shadowed = Json::array(), skipped = Json::array(), searched = Json::array();
  for (const auto& entry : index.all())
    if (kind.empty() || entry.kind == kind) components.push_back(json_of(entry));
  for (const auto& [entry, by] : index.shadowed()) {
    if (!kind.empty() && entry.kind != kind) continue;
    auto json = json_of(entry);
    json["by"] = by.string();
    shadowed.push_back(std::move(json));
  }
  for (const auto& [path, problem] : index.skipped())
    skipped.push_back({{"file", path.string()}, {"problem", problem}});
  for (const auto& [path, problem] : index.searched()) {
    Json json{{"folder", path.string()}};
    if (!problem.empty()) json["problem"] = problem;
    searched.push_back(std::move(json));
  }
  return json_text({{"components", components}, {"shadowed", shadowed}, {"skipped", skipped}, {"searched", searched}});
}

std::string describe_text(const PluginIndex& index, const std::string& kind, const std::string& name) {
  const auto entry = entry_of(index, kind, name);
  const auto& component = index.load(entry.kind, entry.name);
  std::string own, common;
  describe_group(own, *component.options, "");
  describe_group(common, *component.common, "");
  std::string out = entry.kind + " " + entry.name + " " + entry.version + "\n" + wrapped(entry.summary, 0) +
                    "file: " + entry.file.string() + "\n";
  out += own.empty() ? "\nNo options.\n" : "\nOptions:\n" + own;
  if (!common.empty()) out += "\nOptions of every " + entry.kind + ":\n" + common;
  return out + "\nIn a spec:\n  " + place_in_spec(entry.kind, example(index, component));
}

std::string describe_json(const PluginIndex& index, const std::string& kind, const std::string& name) {
  const auto entry = entry_of(index, kind, name);
  const auto& component = index.load(entry.kind, entry.name);
  auto json = json_of(entry);
  json["example"] = example(index, component);
  json["schema"] = json_schema(component);
  return json_text(json);
}

std::string example_text(const PluginIndex& index, const std::string& kind, const std::string& name) {
  return example(index, index.load(kind, name)).dump();
}

}  // namespace sectile
