#include "json_writer.h"

#include "host_recipe.h"

namespace sectile {
namespace {

Json write_reference(const AnyRef& reference, Paths paths) {
  if (reference.type().empty()) return nullptr;
  Json json{{"type", reference.type()}};
  const auto written = [](const Scalar& scalar) {
    return std::visit([](const auto& value) { return Json(value); }, scalar);
  };
  for (const auto& [name, value] : reference.given()) {
    if (const auto* scalar = std::get_if<Scalar>(&value)) {
      json[name] = written(*scalar);
      continue;
    }
    json[name] = Json::array();
    for (const auto& scalar : std::get<std::vector<Scalar>>(value)) json[name].push_back(written(scalar));
  }
  if (reference) {  // only a name: a default that was not looked up
    const auto& recipe = dynamic_cast<const HostRecipe&>(reference.recipe());
    json.update(resolved(recipe.common_options.get(), *recipe.component.common, paths));
    json.update(resolved(recipe.options.get(), *recipe.component.options, paths));
  }
  return json;
}

Json write_container(void* value, const ValueType& type, const Option& option, Paths paths) {
  struct Into {
    Json json;
    const ValueType& element;
    const Option& option;
    Paths paths;
  };
  const auto empty = type.shape == Shape::array ? Json::array() : type.shape == Shape::map ? Json::object() : Json();
  Into into{empty, *type.element, option, paths};
  const auto add = [](const std::string& key, void* element, void* context) {
    auto& [json, element_type, its_option, its_paths] = *static_cast<Into*>(context);
    auto item = write_value(element, element_type, its_option, its_paths);
    if (json.is_array())
      json.push_back(std::move(item));
    else if (json.is_object())
      json[key] = std::move(item);
    else
      json = std::move(item);
  };
  type.visit(value, add, &into);
  return into.json;
}

}  // namespace

Json write_value(void* value, const ValueType& type, const Option& option, Paths paths) {
  switch (type.shape) {
    case Shape::group:
      return resolved(value, type, paths);
    case Shape::component:
      return write_reference(type.reference(value), paths);
    case Shape::array:
    case Shape::map:
    case Shape::optional:
      return write_container(value, type, option, paths);
    case Shape::choice:
      return option.choices.at(static_cast<std::size_t>(std::get<std::int64_t>(type.load(value))));
    case Shape::path:
      if (paths == Paths::left_out) return nullptr;
      [[fallthrough]];
    default:
      return std::visit([](const auto& scalar) { return Json(scalar); }, type.load(value));
  }
}

Json resolved(void* group, const ValueType& type, Paths paths) {
  Options options;
  type.declare(group, options);
  Json json = Json::object();
  for (const auto& option : options.all())
    if (auto item = write_value(option->value, *option->type, *option, paths); !item.is_null())
      json[option->name] = std::move(item);
  return json;
}

bool takes_single(const Option& option, const ValueType& type) {
  const ValueType* outermost = option.type;
  while (outermost->shape == Shape::optional) outermost = outermost->element;
  return option.takes_single && &type == outermost;
}

const char* json_type(Shape shape) {
  switch (shape) {
    case Shape::boolean:
      return "boolean";
    case Shape::integer:
      return "integer";
    case Shape::number:
      return "number";
    case Shape::array:
      return "array";
    case Shape::map:
    case Shape::group:
    case Shape::component:
      return "object";
    default:
      return "string";
  }
}

}  // namespace sectile
