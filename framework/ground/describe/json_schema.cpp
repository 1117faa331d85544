#include "json_schema.h"

#include "../spec/json_writer.h"
#include "../spec/pipeline_spec.h"
#include "component_text.h"

namespace sectile {
namespace {

// Whether an object is complete, or merged over another one and may omit keys. Arrays are not merged, so their elements
// are complete.
enum class Extent { whole, part };

Json schema_of_group(const std::vector<const ValueType*>& groups, Json properties, Extent extent);

std::string definition(const std::string& name, Extent extent) {
  return (extent == Extent::part ? "part." : "") + name;
}

Json reference_to(const std::string& name) { return {{"$ref", "#/definitions/" + name}}; }

Json schema_of_scalar(Shape shape, const Option& option) {
  Json schema{{"type", json_type(shape)}};
  if (!option.choices.empty()) schema["enum"] = option.choices;
  if (option.minimum) schema["minimum"] = *option.minimum;
  if (option.maximum) schema["maximum"] = *option.maximum;
  if (option.must_not_be_empty && (shape == Shape::string || shape == Shape::path)) schema["minLength"] = 1;
  return schema;
}

Json or_null(Json schema) { return {{"anyOf", {std::move(schema), {{"type", "null"}}}}}; }

Json schema_of(const ValueType& type, const Option& option, Extent extent) {
  Json schema;
  switch (type.shape) {
    case Shape::optional:
      return or_null(schema_of(*type.element, option, extent));
    case Shape::array:
      schema = {{"type", "array"}, {"items", schema_of(*type.element, option, Extent::whole)}};
      if (type.fixed_size)
        schema["minItems"] = schema["maxItems"] = type.fixed_size;
      else if (option.must_not_be_empty)
        schema["minItems"] = 1;
      if (takes_single(option, type)) schema = {{"anyOf", {schema["items"], schema}}};
      return schema;
    case Shape::map:
      schema = {{"type", "object"}, {"additionalProperties", schema_of(*type.element, option, extent)}};
      if (option.must_not_be_empty && extent == Extent::whole) schema["minProperties"] = 1;
      return schema;
    case Shape::group:
      return schema_of_group({&type}, Json::object(), extent);
    case Shape::component:
      return reference_to(definition(type.kind, extent));
    default:
      return schema_of_scalar(type.shape, option);
  }
}

Json requires_key(const std::string& key) { return {{"required", Json::array({key})}}; }

// The two names of a renamed option exclude each other.
Json rule_of_names(const Option& option, Extent extent) {
  if (option.is_required && extent == Extent::whole)
    return {{"oneOf", Json::array({requires_key(option.name), requires_key(option.old_name)})}};
  return {{"not", {{"required", {option.name, option.old_name}}}}};
}

Json schema_of_group(const std::vector<const ValueType*>& groups, Json properties, Extent extent) {
  Json required = Json::array(), rules = Json::array();
  for (const auto& [key, unused] : properties.items()) required.push_back(key);
  for (const auto* type : groups) {
    const auto values = type->make();
    Options options;
    type->declare(values.get(), options);
    for (const auto& option : options.all()) {
      Json schema = schema_of(*option->type, *option, extent);
      if (extent == Extent::part) schema = or_null(schema);         // null removes a key
      if (schema.contains("$ref")) schema = {{"allOf", {schema}}};  // draft 7 ignores other keys next to a $ref
      schema["description"] = option->help;
      if (auto value = write_value(option->value, *option->type, *option); !value.is_null() && !option->is_required)
        schema["default"] = value;
      if (!option->old_name.empty()) {
        properties[option->old_name] = schema;
        properties[option->old_name]["deprecated"] = true;
        rules.push_back(rule_of_names(*option, extent));
      } else if (option->is_required) {
        required.push_back(option->name);
      }
      properties[option->name] = std::move(schema);
    }
  }
  Json schema{{"type", "object"}, {"properties", properties}, {"additionalProperties", false}};
  if (!required.empty() && extent == Extent::whole) schema["required"] = required;
  if (!rules.empty()) schema["allOf"] = rules;
  return schema;
}

Json schema_of_component(const Component& component, Extent extent) {
  auto schema = schema_of_group({component.common, component.options}, {{"type", {{"const", component.name}}}}, extent);
  schema["description"] = component.summary;
  return schema;
}

// Any component of the kind, with the options of its "type". A part may omit the type; then its options are not known
// here.
void define_kind(const PluginIndex& index, const std::string& kind, Extent extent, Json& definitions) {
  Json choices = Json::array();
  for (const auto& name : index.names(kind)) {
    const auto id = definition(kind + "." + name, extent);
    try {
      definitions[id] = schema_of_component(index.load(kind, name), extent);
    } catch (const PluginError& error) {
      definitions[id] = {{"not", Json::object()}, {"description", error.what()}};
    }
    const Json named{{"required", Json::array({"type"})}, {"properties", {{"type", {{"const", name}}}}}};
    choices.push_back({{"if", named}, {"then", reference_to(id)}});
  }
  Json schema{{"type", "object"}, {"properties", {{"type", {{"enum", index.names(kind)}}}}}};
  if (extent == Extent::whole) schema["required"] = Json::array({"type"});
  if (!choices.empty()) schema["allOf"] = choices;
  definitions[definition(kind, extent)] = schema;
}

Json schema_of_spec(const ValueType& group, Extent extent) {
  const Json text{{"type", "string"}};
  Json schema = schema_of_group({&group}, Json::object(), extent);
  auto& properties = schema["properties"];
  properties["$schema"] = properties["extends"] = text;
  properties["$schema"]["description"] = "This schema, for editors.";
  properties["extends"]["description"] = "Another spec, merged underneath this one.";
  properties["plugin_path"] = {{"type", "array"},
                               {"items", {{"type", "string"}, {"minLength", 1}}},
                               {"description", "Folders to look for plugins in, relative to this file."}};
  return schema;
}

}  // namespace

Json json_schema(const Component& component) { return schema_of_component(component, Extent::whole); }

Json json_schema(const PluginIndex& index, const ValueType& group) {
  Json definitions = Json::object();
  for (const auto extent : {Extent::whole, Extent::part}) {
    definitions[definition("spec", extent)] = schema_of_spec(group, extent);
    for (const char* kind : kKinds) define_kind(index, kind, extent, definitions);
  }
  return {{"$schema", "http://json-schema.org/draft-07/schema#"},
          {"title", "Sectile spec"},
          {"type", "object"},
          {"if", requires_key("extends")},
          {"then", reference_to(definition("spec", Extent::part))},
          {"else", reference_to(definition("spec", Extent::whole))},
          {"definitions", definitions}};
}

std::string schema_text(const PluginIndex& index) { return json_schema(index, kValueType<PipelineSpec>).dump(2); }

}  // namespace sectile
