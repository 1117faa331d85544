// The smallest JSON that names a component and that the reader accepts.
#pragma once

#include <sectile/component.h>

#include "../plugins/plugin_index.h"
#include "../spec/json_text.h"

namespace sectile {

// Its type and, for every required option, a value within its limits.
Json example(const PluginIndex& index, const Component& component);

}  // namespace sectile
