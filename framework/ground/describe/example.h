// The smallest valid JSON for a component.
#pragma once

#include <sectile/component.h>

#include "../plugins/plugin_index.h"
#include "../spec/json_text.h"

namespace sectile {

// Its type and a valid value for every required option.
Json example(const PluginIndex& index, const Component& component);

}  // namespace sectile
