// The JSON Schema (draft 7) of what the reader accepts, out of the same declarations.
#pragma once

#include <sectile/component.h>

#include "../plugins/plugin_index.h"
#include "../spec/json_text.h"

namespace sectile {

Json json_schema(const Component& component);

// Of whole specs. Loads every plugin; a component that cannot be loaded is refused by the schema as by the reader.
Json json_schema(const PluginIndex& index, const ValueType& group);

}  // namespace sectile
