#include "json_schema.h"

#include "json_writer.h"

namespace sectile {
namespace {

Json schema_of_group(const std::vector<const ValueType*>& groups, Json properties);

Json schema_of_scalar(Shape shape, const Option& option) {
  Json schema{{"type", json_type(shape)}};
  if (!option.choices.empty()) schema["enum"] = option.choices;
  if (option.minimum) schema["minimum"] = *option.minimum;
  if (option.maximum) schema["maximum"] = *option.maximum;
  if (option.must_not_be_empty && (shape == Shape::string || shape == Shape::path)) schema["minLength"] = 1;
  return schema;
}

Json schema_of(const ValueType& type, const Option& option) {
  Json schema;
  switch (type.shape) {
    case Shape::optional:
      return {{"anyOf", {schema_of(*type.element, option), {{"type", "null"}}}}};
    case Shape::array:
      schema = {{"type", "array"}, {"items", schema_of(*type.element, option)}};
      if (type.fixed_size)
        schema["minItems"] = schema["maxItems"] = type.fixed_size;
      else if (option.must_not_be_empty)
        schema["minItems"] = 1;
      return schema;
    case Shape::map:
      schema = {{"type", "object"}, {"additionalProperties", schema_of(*type.element, option)}};
      if (option.must_not_be_empty) schema["minProperties"] = 1;
      return schema;
    case Shape::group:
      return schema_of_group({&type}, Json::object());
    case Shape::component:
      return {{"$ref", std::string("#/definitions/") + type.kind}};
    default:
      return schema_of_scalar(type.shape, option);
  }
}

Json requires_key(const std::string& key) { return {{"required", Json::array({key})}}; }

// What an option adds to the schema of its object.
void add_option(const Option& option, Json& properties, Json& required, Json& rules) {
  Json schema = schema_of(*option.type, option);
  if (schema.contains("$ref")) schema = {{"allOf", {schema}}};  // draft 7 ignores what stands beside a $ref
  schema["description"] = option.help;
  if (auto value = write_value(option.value, *option.type, option); !value.is_null() && !option.is_required)
    schema["default"] = value;
  if (option.is_required && option.old_name.empty()) required.push_back(option.name);
  if (!option.old_name.empty()) {  // either name, not both
    properties[option.old_name] = schema;
    Json either{{requires_key(option.name), requires_key(option.old_name)}};
    if (option.is_required)
      rules.push_back({{"oneOf", either[0]}});
    else
      rules.push_back({{"not", {{"required", {option.name, option.old_name}}}}});
  }
  properties[option.name] = std::move(schema);
}

Json schema_of_group(const std::vector<const ValueType*>& groups, Json properties) {
  Json required = Json::array(), rules = Json::array();
  for (const auto& [key, unused] : properties.items()) required.push_back(key);
  for (const auto* type : groups) {
    const auto values = type->make();
    Options options;
    type->declare(values.get(), options);
    for (const auto& option : options.all()) add_option(*option, properties, required, rules);
  }
  Json schema{{"type", "object"}, {"properties", properties}, {"additionalProperties", false}};
  if (!required.empty()) schema["required"] = required;
  if (!rules.empty()) schema["allOf"] = rules;
  return schema;
}

// Any component of the kind, with the options of the one that its "type" names.
Json schema_of_kind(const PluginIndex& index, const std::string& kind, Json& definitions) {
  Json choices = Json::array();
  for (const auto& name : index.names(kind)) {
    const auto id = kind + "." + name;
    try {
      definitions[id] = json_schema(index.load(kind, name));
    } catch (const PluginError& error) {
      definitions[id] = {{"not", Json::object()}, {"description", error.what()}};
    }
    choices.push_back(
        {{"if", {{"properties", {{"type", {{"const", name}}}}}}}, {"then", {{"$ref", "#/definitions/" + id}}}});
  }
  Json schema{{"type", "object"},
              {"required", Json::array({"type"})},
              {"properties", {{"type", {{"enum", index.names(kind)}}}}}};
  if (!choices.empty()) schema["allOf"] = choices;
  return schema;
}

}  // namespace

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

Json json_schema(const Component& component) {
  auto schema = schema_of_group({component.common, component.options}, {{"type", {{"const", component.name}}}});
  schema["description"] = component.summary;
  return schema;
}

Json json_schema(const PluginIndex& index, const ValueType& group) {
  Json properties{{"$schema", {{"type", "string"}, {"description", "This schema, for editors."}}},
                  {"extends", {{"type", "string"}, {"description", "Another spec, merged underneath this one."}}},
                  {"plugin_path",
                   {{"type", "array"},
                    {"items", {{"type", "string"}, {"minLength", 1}}},
                    {"description", "Folders to look for plugins in, relative to this file."}}}};
  Json schema{{"$schema", "http://json-schema.org/draft-07/schema#"}, {"title", "Sectile spec"}};
  Json whole = schema_of_group({&group}, Json::object());
  properties.update(whole["properties"]);
  whole["properties"] = properties;
  if (whole.contains("required")) {  // what is missing may be in the other file
    whole["if"] = requires_key("extends");
    whole["else"] = {{"required", whole["required"]}};
    whole.erase("required");
  }
  schema.update(whole);
  Json definitions = Json::object();
  for (const char* kind : kKinds) definitions[kind] = schema_of_kind(index, kind, definitions);
  schema["definitions"] = definitions;
  return schema;
}

}  // namespace sectile
