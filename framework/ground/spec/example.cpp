#include "example.h"

#include <algorithm>

#include "json_options.h"

namespace sectile {
namespace {

constexpr int kDeepest = 4;               // components in components
constexpr std::size_t kLongestArray = 3;  // rules across options often want two or three values

// Makes values within their limits; what lies beyond those (rules across options) is found by trying.
class Maker {
 public:
  Maker(const PluginIndex& index, std::size_t array_length) : index_(index), length_(array_length) {}

  // The required options of a group, also of groups in it that are not required themselves. Besides them `extra`.
  void add_options(const ValueType& group, Json& json, int depth, const std::string& extra = {}) const {
    const auto values = group.make();
    Options options;
    group.declare(values.get(), options);
    for (const auto& option : options.all()) {
      const bool wanted = option->is_required || option->name == extra;
      if (!wanted && option->type->shape != Shape::group) continue;
      auto value = make(*option->type, *option, depth);
      if (wanted || !value.empty()) json[option->name] = std::move(value);
    }
  }

 private:
  Json make(const ValueType& type, const Option& option, int depth) const {
    const auto number = option.minimum.value_or(option.maximum.value_or(1));
    switch (type.shape) {
      case Shape::boolean:
        return true;
      case Shape::integer:
        return static_cast<std::int64_t>(number);
      case Shape::number:
        return number;
      case Shape::path:
        return std::string(option.name);
      case Shape::string:
      case Shape::choice:
        return option.choices.empty() ? std::string(option.name) : option.choices.front();
      case Shape::array:
        return std::vector<Json>(type.fixed_size ? type.fixed_size : length_, make(*type.element, option, depth));
      case Shape::optional:
        return make(*type.element, option, depth);
      case Shape::map:
        return {{"name", make(*type.element, option, depth)}};
      case Shape::group: {
        Json json = Json::object();
        add_options(type, json, depth);
        return json;
      }
      case Shape::component:
        return make_component(type.kind, depth);
    }
    return nullptr;
  }

  Json make_component(const std::string& kind, int depth) const {
    const auto names = index_.names(kind);
    if (names.empty() || depth == 0) return {{"type", "…"}};
    Json json{{"type", names.front()}};
    const auto& component = index_.load(kind, names.front());
    add_options(*component.common, json, depth - 1);
    add_options(*component.options, json, depth - 1);
    return json;
  }

  const PluginIndex& index_;
  const std::size_t length_;
};

// A place for a component of a kind that is known only now.
struct Place {
  Ref<Transform> any;
  ValueType type = kValueType<Ref<Transform>>;
  void declare(Options& options) { options.add("component", &any, type, "The example."); }
};

bool is_accepted(const PluginIndex& index, const char* kind, const Json& example) {
  Place place;
  place.type.kind = kind;
  SpecFile file;
  file.json["component"] = example;
  try {
    SpecReader{index, file}.read(&place, kValueType<Place>);
    return true;
  } catch (const SpecError&) {
    return false;
  }
}

std::vector<std::string> option_names(const ValueType& group) {
  const auto values = group.make();
  Options options;
  group.declare(values.get(), options);
  std::vector<std::string> names;
  for (const auto& option : options.all()) names.emplace_back(option->name);
  return names;
}

}  // namespace

Json example(const PluginIndex& index, const Component& component) {
  const auto made = [&](std::size_t length, const std::string& extra) {
    Json json{{"type", component.name}};
    const Maker maker(index, length);
    maker.add_options(*component.common, json, kDeepest);
    maker.add_options(*component.options, json, kDeepest, extra);
    return json;
  };
  auto extras = option_names(*component.options);
  extras.insert(extras.begin(), "");  // first without any
  for (const auto& extra : extras)
    for (std::size_t length = 1; length <= kLongestArray; ++length)
      if (auto json = made(length, extra); is_accepted(index, component.kind, json)) return json;
  return made(1, "");
}

}  // namespace sectile
