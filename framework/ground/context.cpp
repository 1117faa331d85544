#include <sectile/context.h>

#include <algorithm>

#include <sectile/dataset.h>
#include <sectile/error.h>
#include <sectile/sampler.h>

#include "spec/suggestion.h"

namespace sectile {

std::optional<int> LabelMap::find(const std::string& name) const {
  for (std::size_t i = 0; i < classes.size(); ++i)
    if (classes[i].name == name) return static_cast<int>(i);
  return {};
}

int LabelMap::number_of(const std::string& name, const std::string& option) const {
  if (const auto number = find(name)) return *number;
  std::vector<std::string> known;
  for (const auto& one : classes) known.push_back(one.name);
  const auto near = nearest(name, known);
  throw OptionError(option, "names the class \"" + name + "\", which the data does not have" +
                                (near ? ", did you mean \"" + *near + "\"?" : "") + "; it has: " + listed(known));
}

std::string LabelMap::difference(const LabelMap& other) const {
  if (overlapping != other.overlapping)
    return overlapping ? "its classes may overlap, and the other's may not"
                       : "its classes may not overlap, and the other's may";
  for (std::size_t i = 0; i < std::min(classes.size(), other.classes.size()); ++i) {
    const auto &own = classes[i], &theirs = other.classes[i];
    const std::string place = "its class " + std::to_string(i) + " is \"" + own.name + "\"";
    if (own.name != theirs.name) return place + ", and not \"" + theirs.name + "\"";
    if (own.thing != theirs.thing)
      return place + (own.thing ? " as things, and not as stuff" : " as stuff, and not as things");
  }
  if (classes.size() == other.classes.size()) return "";
  return "it has " + std::to_string(classes.size()) + " classes, and not " + std::to_string(other.classes.size());
}

std::string LabelMap::text() const {
  std::vector<std::string> names;
  for (const auto& one : classes) names.push_back(one.name);
  return std::to_string(classes.size()) + " (" + listed(names) + ")";
}

int BuildContext::classes() const {
  if (!labels) throw PluginError("BuildContext", "the number of classes was asked for before the dataset was built");
  return static_cast<int>(labels->classes.size());
}
int BuildContext::class_number(const std::string& name, const std::string& option) const {
  if (!labels) throw PluginError("BuildContext", "a class was asked for before the dataset was built");
  return labels->number_of(name, option);
}

std::vector<std::vector<int>> classes_of_samples(const BuildContext& context) {
  if (context.list_classes) return context.list_classes();
  if (!context.data)
    throw OptionError("type", "needs training data, whose classes it looks at, and there is none here");
  std::vector<std::vector<int>> classes;
  for (std::size_t i = 0; i < context.data->size(); ++i) classes.push_back(context.data->classes_of(i));
  return classes;
}

std::size_t FeatureRequest::index(int level, std::size_t count) {
  const auto size = static_cast<int>(count);
  if (level < -size || level >= size)
    throw OptionError("type", "has " + std::to_string(size) + " levels of features, and the model asks for level " +
                                  std::to_string(level) + ": choose another backbone");
  return static_cast<std::size_t>(level < 0 ? level + size : level);
}

}  // namespace sectile
