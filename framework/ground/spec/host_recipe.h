// A component that a spec names, with its options filled in: held until it is built.
#pragma once

#include <memory>
#include <string>

#include <sectile/component.h>

namespace sectile {

class HostRecipe final : public Recipe {
 public:
  HostRecipe(const Component& part, std::string where);
  const void* common() const override { return common_options.get(); }

  // A failure is told with the component's place in the spec: a SpecError as it is, an OptionError as a SpecError
  // at that option, a DataError behind the pointer, all else as a PluginError with the component's name.
  std::shared_ptr<void> build(const BuildContext& context) const override;

  const Component& component;
  const std::string pointer;
  const std::shared_ptr<void> options;
  const std::shared_ptr<void> common_options;
};

}  // namespace sectile
