// Transforms that hold other transforms, and what is known of transforms before they are applied, at any depth.
#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <vector>

#include <sectile/transform.h>

namespace sectile {

// In order. Throws SpecError with the problems of all of them, not only of the first.
SECTILE_EXPORT std::vector<std::shared_ptr<Transform>> build_all(const std::vector<Ref<Transform>>& transforms,
                                                                 const BuildContext& context);

struct SECTILE_EXPORT Effects {
  // Places in the spec of the transforms that call Draw::another(), which there is in training alone: "" is the
  // transform itself, "/transforms/1" one that it holds.
  std::vector<std::string> mixing{};
  // Whether class numbers may become labels per class. Then the labels of all batches have that form.
  bool soft_labels = false;
  // How Sample::mean and deviation are measured in the image, such as "min_max": transforms with equal texts measure
  // alike. Empty: they do not depend on the image.
  std::string measures{};
  // What pixels are clipped to before a given mean and deviation: minimum and maximum of each clipping.
  std::vector<double> clips{};
  // Places of the transforms that set Sample::mean and deviation: of every sample, and of some samples by chance.
  std::vector<std::string> normalizing{}, normalizing_by_chance{};
  // What is added to Sample::targets.
  struct Target {
    std::string name{};
    std::string place{};     // of the transform
    bool by_chance = false;  // to some samples only
  };
  std::vector<Target> targets{};

  // Of transforms that are not applied to every sample.
  Effects by_chance() const;
};

// Role of a Transform that has such effects, or holds transforms that may.
class SECTILE_EXPORT HasEffects {
 public:
  virtual ~HasEffects();
  virtual Effects effects() const = 0;
};

// Of all transforms of a list together. option: the place of the list, such as "/transforms".
SECTILE_EXPORT Effects effects_of(const std::vector<std::shared_ptr<Transform>>& transforms, const std::string& option);

}  // namespace sectile
