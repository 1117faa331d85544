#include "example.h"

#include <algorithm>

namespace sectile {
namespace {

void add_required(const PluginIndex& index, const ValueType& group, Json& json, int depth);

bool needs_components(const ValueType& group) {
  const auto values = group.make();
  Options options;
  group.declare(values.get(), options);
  return std::any_of(options.all().begin(), options.all().end(), [](const auto& option) {
    const auto* inner = option->type;
    while (inner->element) inner = inner->element;
    return option->is_required && inner->shape == Shape::component;
  });
}

// The first one without required components, so that the example of a dataset that contains others is not nested
// further.
const Component& simple_component(const PluginIndex& index, const std::string& kind,
                                  const std::vector<std::string>& names) {
  for (const auto& name : names)
    if (const auto& component = index.load(kind, name); !needs_components(*component.options)) return component;
  return index.load(kind, names.front());
}

Json example_of(const PluginIndex& index, const ValueType& type, const Option& option, int depth) {
  const auto whole = option.minimum.value_or(option.maximum.value_or(1));
  switch (type.shape) {
    case Shape::boolean:
      return true;
    case Shape::integer:
      return static_cast<std::int64_t>(whole);
    case Shape::number:
      return whole;
    case Shape::path:
      return std::string(option.name);
    case Shape::string:
    case Shape::choice:
      return option.choices.empty() ? std::string(option.name) : option.choices.front();
    case Shape::array:
      return std::vector<Json>(std::max<std::size_t>(type.fixed_size, 1),
                               example_of(index, *type.element, option, depth));
    case Shape::optional:
      return example_of(index, *type.element, option, depth);
    case Shape::map:
      return {{"name", example_of(index, *type.element, option, depth)}};
    case Shape::group: {
      Json json = Json::object();
      add_required(index, type, json, depth);
      return json;
    }
    case Shape::component: {
      const auto names = index.names(type.kind);
      if (names.empty() || depth == 0) return {{"type", "…"}};
      const auto& component = simple_component(index, type.kind, names);
      Json json{{"type", component.name}};
      add_required(index, *component.common, json, depth - 1);
      add_required(index, *component.options, json, depth - 1);
      return json;
    }
  }
  return nullptr;
}

// Also inside groups that are not required but contain required options.
void add_required(const PluginIndex& index, const ValueType& group, Json& json, int depth) {
  const auto values = group.make();
  Options options;
  group.declare(values.get(), options);
  for (const auto& option : options.all()) {
    if (option->is_required || option->type->shape == Shape::group) {
      auto value = example_of(index, *option->type, *option, depth);
      if (option->is_required || !value.empty()) json[option->name] = std::move(value);
    }
  }
}

}  // namespace

Json example(const PluginIndex& index, const Component& component) {
  constexpr int kDepth = 4;  // of nested components
  Json json{{"type", component.name}};
  add_required(index, *component.common, json, kDepth);
  add_required(index, *component.options, json, kDepth);
  return json;
}

}  // namespace sectile
