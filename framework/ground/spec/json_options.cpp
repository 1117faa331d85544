#include "json_options.h"

#include <algorithm>

#include "suggestion.h"

namespace sectile {
namespace {

// A validated component: holds the filled options until it is built.
class HostRecipe final : public Recipe {
 public:
  HostRecipe(const Component& part, std::string where)
      : component(part),
        pointer(std::move(where)),
        options(part.options->make()),
        common_options(part.common->make()) {}
  const void* common() const override { return common_options.get(); }
  std::shared_ptr<void> build(const BuildContext& context) const override {
    try {
      auto made = component.create(options.get(), context);
      if (context.after_build) context.after_build(component, made.get(), common_options.get());
      return made;
    } catch (const SpecError&) {
      throw;
    } catch (const std::exception& error) {
      throw PluginError(pointer + ": " + component.kind + " \"" + component.name + "\" could not be built",
                        error.what());
    }
  }

  const Component& component;
  const std::string pointer;
  const std::shared_ptr<void> options;
  const std::shared_ptr<void> common_options;
};

std::string escape(const std::string& token) {
  std::string out;
  for (const char c : token) out += c == '~' ? "~0" : c == '/' ? "~1" : std::string(1, c);
  return out;
}

const char* type_name(Shape shape) {
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

bool holds(Shape shape, const Json& json) {
  switch (shape) {
    case Shape::boolean:
      return json.is_boolean();
    case Shape::integer:
      return json.is_number_integer();
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

class Walk {
 public:
  Walk(const SpecReader& reader, std::vector<Problem>& problems) : reader_(reader), problems_(problems) {}

  // Reads one object into one or two groups: a component's own options and those of its kind share it.
  void object(const Json& json, std::initializer_list<std::pair<void*, const ValueType*>> groups,
              const std::string& pointer, bool typed) {
    std::vector<std::string> names;
    if (typed) names.push_back("type");
    for (const auto& [value, type] : groups) {
      Options options;
      type->declare(value, options);
      const auto before = problems_.size();
      for (const auto& option : options.all()) {
        if (std::count(names.begin(), names.end(), option->name))
          problem(pointer, std::string("option \"") + option->name + "\" is declared twice");
        names.push_back(option->name);
        auto found = json.find(option->name);
        if (found == json.end() && !option->old_name.empty()) found = json.find(names.emplace_back(option->old_name));
        if (found != json.end())
          read(*found, option->value, *option->type, *option, pointer + "/" + escape(found.key()));
        else if (option->is_required)
          problem(pointer, std::string("option \"") + option->name + "\" is missing: " + option->help);
        else if (option->type->shape == Shape::group)
          object(Json::object(), {{option->value, option->type}}, pointer + "/" + option->name, false);
        else if (option->type->shape == Shape::component && !option->type->reference(option->value).type().empty())
          component(Json{{"type", option->type->reference(option->value).type()}},
                    option->type->reference(option->value), option->type->kind, pointer + "/" + option->name);
      }
      if (type->check &&
          problems_.size() == before) {  // rules across options only see values that are right in themselves
        Problems relative(problems_, pointer);
        type->check(value, relative);
      }
    }
    for (const auto& [key, unused] : json.items())
      if (!std::count(names.begin(), names.end(), key))
        problem(pointer + "/" + escape(key), "unknown option" + suggestion(key, names));
  }

 private:
  void problem(const std::string& pointer, const std::string& message) { problems_.push_back({pointer, message}); }

  void component(const Json& json, AnyRef& reference, const char* kind, const std::string& pointer) {
    const auto type = json.find("type");
    if (type == json.end() || !type->is_string())
      return problem(pointer, std::string("names no ") + kind + ": \"type\" is missing" +
                                  suggestion("", reader_.index.names(kind)));
    const auto name = type->get<std::string>();
    if (!reader_.index.knows(kind, name))
      return problem(pointer + "/type", std::string("unknown ") + kind + " \"" + name + "\"" +
                                            suggestion(name, reader_.index.names(kind)));
    if (depth_ == kDeepest)
      return problem(pointer, "components are nested more than " + std::to_string(kDeepest) + " deep");
    try {
      ++depth_;
      const auto recipe = std::make_shared<HostRecipe>(reader_.index.load(kind, name), pointer);
      object(json,
             {{recipe->common_options.get(), recipe->component.common},
              {recipe->options.get(), recipe->component.options}},
             pointer, true);
      reference.set(name, recipe);
      --depth_;
    } catch (const PluginError& error) {
      --depth_;
      problem(pointer + "/type", error.what());
    }
  }

  void read(const Json& json, void* value, const ValueType& type, const Option& option, const std::string& pointer) {
    if (type.shape == Shape::optional) {
      type.clear(value);
      if (!json.is_null()) read(json, type.insert(value, 0, ""), *type.element, option, pointer);
      return;
    }
    if (!holds(type.shape, json))
      return problem(pointer, std::string("expected ") + type_name(type.shape) + ", found " + json.dump());
    if (option.must_not_be_empty && json.empty()) problem(pointer, "must not be empty");
    switch (type.shape) {
      case Shape::array:
        if (type.fixed_size && json.size() != type.fixed_size)
          return problem(
              pointer, "expected " + std::to_string(type.fixed_size) + " values, found " + std::to_string(json.size()));
        type.clear(value);
        for (std::size_t i = 0; i < json.size(); ++i)
          read(json[i], type.insert(value, i, ""), *type.element, option, pointer + "/" + std::to_string(i));
        return;
      case Shape::map:
        type.clear(value);
        for (const auto& [key, item] : json.items())
          read(item, type.insert(value, 0, key), *type.element, option, pointer + "/" + escape(key));
        return;
      case Shape::group:
        return object(json, {{value, &type}}, pointer, false);
      case Shape::component:
        return component(json, type.reference(value), type.kind, pointer);
      default:
        return scalar(json, value, type, option, pointer);
    }
  }

  void scalar(const Json& json, void* value, const ValueType& type, const Option& option, const std::string& pointer) {
    Scalar found;
    if (json.is_boolean())
      found = json.get<bool>();
    else if (type.shape == Shape::integer)
      found = json.get<std::int64_t>();
    else if (json.is_number())
      found = json.get<double>();
    else
      found = json.get<std::string>();
    if (json.is_number()) {
      const auto number = json.get<double>();
      if (option.minimum && number < *option.minimum)
        return problem(pointer, json.dump() + " is too small: at least " + Json(*option.minimum).dump());
      if (option.maximum && number > *option.maximum)
        return problem(pointer, json.dump() + " is too large: at most " + Json(*option.maximum).dump());
    }
    if (json.is_string() && !option.choices.empty()) {
      const auto& text = std::get<std::string>(found);
      const auto choice = std::find(option.choices.begin(), option.choices.end(), text);
      if (choice == option.choices.end())
        return problem(pointer, "unknown value \"" + text + "\"" + suggestion(text, option.choices));
      if (type.shape == Shape::choice) found = std::int64_t{choice - option.choices.begin()};
    }
    if (type.shape == Shape::path && !json.get<std::string>().empty()) {
      const auto path = located(json.get<std::string>(), reader_.file.folder(pointer));
      if (!path) return problem(pointer, json.dump() + " begins with an environment variable that is not set");
      found = path->string();
    }
    if (!type.store(value, found)) problem(pointer, json.dump() + " does not fit the option's type");
  }

  static constexpr int kDeepest = 32;  // also ends a cycle of defaults
  const SpecReader& reader_;
  std::vector<Problem>& problems_;
  int depth_ = 0;
};

Json write(void* value, const ValueType& type, const Option* option);

Json write_group(void* value, const ValueType& type) {
  Options options;
  type.declare(value, options);
  Json json = Json::object();
  for (const auto& option : options.all())
    if (auto item = write(option->value, *option->type, option.get()); !item.is_null())
      json[option->name] = std::move(item);
  return json;
}

Json write(void* value, const ValueType& type, const Option* option) {
  switch (type.shape) {
    case Shape::group:
      return write_group(value, type);
    case Shape::component: {
      const auto& reference = type.reference(value);
      if (reference.type().empty()) return nullptr;
      Json json{{"type", reference.type()}};
      if (reference) {
        const auto& recipe = dynamic_cast<const HostRecipe&>(reference.recipe());
        json.update(write_group(recipe.common_options.get(), *recipe.component.common));
        json.update(write_group(recipe.options.get(), *recipe.component.options));
      }
      return json;
    }
    case Shape::array:
    case Shape::map:
    case Shape::optional: {
      struct Into {
        Json json;
        const ValueType& type;
        const Option* option;
      };
      Into into{type.shape == Shape::array ? Json::array()
                : type.shape == Shape::map ? Json::object()
                                           : Json(),
                *type.element, option};
      type.visit(
          value,
          [](const std::string& key, void* element, void* context) {
            auto& [json, element_type, o] = *static_cast<Into*>(context);
            auto item = write(element, element_type, o);
            if (json.is_array())
              json.push_back(std::move(item));
            else if (json.is_object())
              json[key] = std::move(item);
            else
              json = std::move(item);
          },
          &into);
      return into.json;
    }
    case Shape::choice:
      return option->choices.at(static_cast<std::size_t>(std::get<std::int64_t>(type.load(value))));
    default:
      return std::visit([](const auto& scalar) { return Json(scalar); }, type.load(value));
  }
}

Json schema_of_group(const std::vector<const ValueType*>& groups, Json properties);

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
      return {{"type", "object"}, {"additionalProperties", schema_of(*type.element, option)}};
    case Shape::group:
      return schema_of_group({&type}, Json::object());
    case Shape::component:
      return {{"$ref", std::string("#/definitions/") + type.kind}};
    default:
      schema = {{"type", type_name(type.shape)}};
      if (!option.choices.empty()) schema["enum"] = option.choices;
      if (option.minimum) schema["minimum"] = *option.minimum;
      if (option.maximum) schema["maximum"] = *option.maximum;
      return schema;
  }
}

Json schema_of_group(const std::vector<const ValueType*>& groups, Json properties) {
  Json required = Json::array();
  for (const auto& [key, unused] : properties.items()) required.push_back(key);
  for (const auto* type : groups) {
    const auto values = type->make();
    Options options;
    type->declare(values.get(), options);
    for (const auto& option : options.all()) {
      Json schema = schema_of(*option->type, *option);
      if (schema.contains("$ref")) schema = {{"allOf", {schema}}};  // draft 7 ignores what stands beside a $ref
      schema["description"] = option->help;
      if (auto value = write(option->value, *option->type, option.get()); !value.is_null() && !option->is_required)
        schema["default"] = value;
      if (!option->old_name.empty()) properties[option->old_name] = schema;
      properties[option->name] = std::move(schema);
      if (option->is_required) required.push_back(option->name);
    }
  }
  Json schema{{"type", "object"}, {"properties", properties}, {"additionalProperties", false}};
  if (!required.empty()) schema["required"] = required;
  return schema;
}

}  // namespace

void SpecReader::read(void* group, const ValueType& type) const {
  std::vector<Problem> problems;
  Walk(*this, problems).object(file.json, {{group, &type}}, "", false);
  if (!problems.empty()) throw SpecError(std::move(problems));
}

Json resolved(void* group, const ValueType& type) { return write_group(group, type); }

Json json_schema(const Component& component) {
  auto schema = schema_of_group({component.common, component.options}, {{"type", {{"const", component.name}}}});
  schema["description"] = component.summary;
  return schema;
}

Json json_schema(const PluginIndex& index, const ValueType& group) {
  const Json text{{"type", "string"}};
  Json schema = schema_of_group({&group}, Json::object());
  schema["$schema"] = "http://json-schema.org/draft-07/schema#";
  schema["properties"]["$schema"] = schema["properties"]["extends"] = text;
  schema["if"] = {{"required", {"extends"}}};  // what is missing may be in the other file
  schema["else"] = {{"required", schema["required"]}};
  schema.erase("required");
  for (const char* kind : kKinds) {
    Json choices = Json::array();
    for (const auto& name : index.names(kind)) {
      const auto id = std::string(kind) + "." + name;
      schema["definitions"][id] = json_schema(index.load(kind, name));
      choices.push_back(
          {{"if", {{"properties", {{"type", {{"const", name}}}}}}}, {"then", {{"$ref", "#/definitions/" + id}}}});
    }
    schema["definitions"][kind] = {{"type", "object"},
                                   {"required", {"type"}},
                                   {"properties", {{"type", {{"enum", index.names(kind)}}}}},
                                   {"allOf", choices}};
  }
  return schema;
}

}  // namespace sectile
