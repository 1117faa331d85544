// The JSON Schema (draft 7) of specs, from the declarations that the reader uses.
#pragma once

#include <sectile/component.h>

#include "../plugins/plugin_index.h"
#include "../spec/json_text.h"

namespace sectile {

Json json_schema(const Component& component);

// For whole specs. Loads every plugin; a component that cannot be loaded is invalid in the schema, as it is for the
// reader.
Json json_schema(const PluginIndex& index, const ValueType& group);

}  // namespace sectile
