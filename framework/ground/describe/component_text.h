// Descriptions of components, as text for people and JSON text for programs. No JSON types here.
#pragma once

#include <string>

#include "../plugins/plugin_index.h"

namespace sectile {

// A table of list the available components, of one kind or, when `kind` is empty, of all, and below it what
// cannot be used, is shadowed or was skipped, and why. Throws SpecError for a kind that does not exist.
std::string list_text(const PluginIndex& index, const std::string& kind);
std::string list_json(const PluginIndex& index, const std::string& kind);

// One component: its summary, its file, all options, and how to use it in a spec. Without a kind, the name must be
// unique. Throws SpecError.
std::string describe_text(const PluginIndex& index, const std::string& kind, const std::string& name);
std::string describe_json(const PluginIndex& index, const std::string& kind, const std::string& name);

// The JSON Schema of whole specs, for editors. Loads every plugin.
std::string schema_text(const PluginIndex& index);

// The smallest valid JSON object for the component: {"type": "dice"}.
std::string example_text(const PluginIndex& index, const std::string& kind, const std::string& name);

}  // namespace sectile
