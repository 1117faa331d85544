// The catalogue of weights as text for people and JSON text for programs.
#pragma once

#include <string>

#include <sectile/abi.h>

#include "../plugins/plugin_index.h"

namespace sectile {

// The entries whose names contain `filter`, in any case: name, size, license, whether the file is in the cache if that
// has a folder, and the components that they need and the index does not have. Throws DataError if there are none.
SECTILE_EXPORT std::string catalogue_text(const PluginIndex& index, const std::string& filter);
SECTILE_EXPORT std::string catalogue_json(const PluginIndex& index, const std::string& filter);

}  // namespace sectile
