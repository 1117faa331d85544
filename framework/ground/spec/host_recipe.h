// A component of a spec with its options, before it is built.
#pragma once

#include <memory>
#include <string>

#include <sectile/component.h>

#include "../plugins/plugin_index.h"

namespace sectile {

class HostRecipe final : public Recipe {
 public:
  HostRecipe(const Component& part, std::string where, PluginIndex::Entry from = {});
  const void* common() const override { return common_options.get(); }

  // Errors get the component's location in the spec: a SpecError is not changed, an OptionError becomes a SpecError at
  // that option, a DataError gets the pointer as prefix, all others become a PluginError with the component's name.
  std::shared_ptr<void> build(const BuildContext& context) const override;

  const Component& component;
  const std::string pointer;
  const PluginIndex::Entry plugin;  // that the component comes from
  const std::shared_ptr<void> options;
  const std::shared_ptr<void> common_options;
};

}  // namespace sectile
