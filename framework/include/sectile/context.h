// What a component may ask about the run that it is built for.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <sectile/abi.h>

namespace sectile {

struct Component;

enum class Task { semantic, instance, panoptic };

struct LabelClass {
  std::string name{};
  std::array<std::uint8_t, 3> color = {};
  bool thing = false;
  std::int64_t category_id = 0;  // what files call it; only datasets and writers look
};

// The classes of a dataset. A class number is an index into `classes`.
struct SECTILE_EXPORT LabelMap {
  std::vector<LabelClass> classes{};
  bool overlapping = false;  // a pixel may have several classes, or none: per-class labels, sigmoid. One class: binary

  std::optional<int> find(const std::string& name) const;
  // The number of a class that an option names. Throws OptionError with the nearest name and all that there are.
  // option: its name, or a path below it: "include/0".
  int number_of(const std::string& name, const std::string& option) const;

  // Colors, and what files call a class, do not count.
  bool same_classes(const LabelMap& other) const { return difference(other).empty(); }
  // What is first otherwise than in the other: "its class 1 is \"car\", and not \"road\"". Empty: nothing.
  std::string difference(const LabelMap& other) const;

  std::string text() const;  // "3 (sky, road, car)"
};

class SECTILE_EXPORT Dataset;

// What a model asks of its backbone (see build_backbone in backbone.h). A backbone obeys it or refuses it.
struct FeatureRequest {
  int output_stride = 0;      // of its coarsest level, by dilating instead of striding; 0: the backbone's own
  std::vector<int> levels{};  // which of its levels, by index from the finest one; negative: from the end; empty: all

  // Those of a backbone's levels or features that are asked for. Throws OptionError where there is no such level.
  template <class T>
  std::vector<T> pick(std::vector<T> all) const {
    if (levels.empty()) return all;
    std::vector<T> picked;
    for (const int level : levels) picked.push_back(all[index(level, all.size())]);
    return picked;
  }
  SECTILE_EXPORT static std::size_t index(int level, std::size_t count);
};

// Made by the host: datasets are built first, then the labels and the first training sample (after its transforms) fill
// this in, then everything else is built. No component declares a number of classes or channels as an option.
struct SECTILE_EXPORT BuildContext {
  Task task = Task::semantic;
  std::shared_ptr<const LabelMap> labels;  // null while datasets are built
  int channels = 3;                        // of the images that the model will see
  int dimensions = 2;                      // 3 for volumes
  std::shared_ptr<const Dataset> data;     // to train on, for samplers; null where nothing is trained
  FeatureRequest features;                 // of backbones alone
  std::function<std::vector<std::int64_t>()>
      count_pixels;  // per class over the training data; counted when first asked

  // The host's: it sees each component right after it was built, also those inside others. `made` is an Interface*,
  // `common` the Kind<Interface>::Common it was named with.
  std::function<void(const Component& component, void* made, const void* common)> after_build;

  int classes() const;  // how many labels, which is how many logits; throws PluginError while they are not known
  // LabelMap::number_of; throws PluginError while labels are not known.
  int class_number(const std::string& name, const std::string& option) const;
};

}  // namespace sectile
