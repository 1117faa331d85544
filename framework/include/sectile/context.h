// Information about the run that a component is built for.
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
  std::int64_t category_id = 0;  // its number in files; used by datasets and writers only; below 0: none, as of what
                                 // is no object of COCO
};

// The classes of a dataset. A class number is an index into `classes`.
struct SECTILE_EXPORT LabelMap {
  std::vector<LabelClass> classes{};
  bool overlapping = false;  // a pixel may have several classes, or none: per-class labels, sigmoid. One class: binary

  std::optional<int> find(const std::string& name) const;
  // The number of a class that an option names. Throws OptionError with the nearest name and the list of classes.
  // option: its name, or a path below it: "include/0".
  int number_of(const std::string& name, const std::string& option) const;

  // Colors and category_id do not count.
  bool same_classes(const LabelMap& other) const { return difference(other).empty(); }
  // The first difference: "its class 1 is \"car\", and not \"road\"". Empty: none.
  std::string difference(const LabelMap& other) const;

  std::string text() const;  // "3 (sky, road, car)"
};

class SECTILE_EXPORT Dataset;

// What a model requests from its backbone (see build_backbone in backbone.h). A backbone follows it or throws.
struct FeatureRequest {
  int output_stride = 0;      // of its coarsest level, by dilating instead of striding; 0: the backbone's own
  std::vector<int> levels{};  // indexes of levels, from the finest one; negative: from the end; empty: all
  // Where dilation replaces the stride of a stage, its first block is dilated like the others, as in
  // segmentation_models_pytorch. false: as in the backbone's original; torchvision's ResNet gives it the dilation of
  // the stage before.
  bool dilate_first_block = false;

  // The requested elements of a backbone's levels or features. Throws OptionError if there is no such level.
  template <class T>
  std::vector<T> pick(std::vector<T> all) const {
    if (levels.empty()) return all;
    std::vector<T> picked;
    for (const int level : levels) picked.push_back(all[index(level, all.size())]);
    return picked;
  }
  SECTILE_EXPORT static std::size_t index(int level, std::size_t count);
};

// Filled in by the host: datasets are built first, then labels and channels are taken from them and from the first
// training sample (after its transforms), then everything else is built. No component has a number of classes or
// channels as an option.
struct SECTILE_EXPORT BuildContext {
  Task task = Task::semantic;
  std::shared_ptr<const LabelMap> labels;  // null while datasets are built
  int channels = 3;                        // of the images that the model will see
  int dimensions = 2;                      // 3 for volumes
  std::shared_ptr<const Dataset> data;     // training data, for samplers; null without training
  FeatureRequest features;                 // for backbones only
  std::function<std::vector<std::int64_t>()>
      count_pixels;  // per class over the training data; counted at the first call
  std::function<std::vector<std::vector<int>>()>
      list_classes;  // of each training sample, as Dataset::classes_of says; found at the first call

  // For the host: called for each component right after it is built, including nested ones. `made` is an Interface*,
  // `common` its Kind<Interface>::Common.
  std::function<void(const Component& component, void* made, const void* common)> after_build;

  int classes() const;  // number of classes, and of logits; throws PluginError while labels are not known
  // LabelMap::number_of; throws PluginError while labels are not known.
  int class_number(const std::string& name, const std::string& option) const;
};

}  // namespace sectile
