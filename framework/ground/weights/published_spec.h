// The spec of a network of the catalogue.
#pragma once

#include <string>

#include <sectile/abi.h>

#include "catalogue.h"

namespace sectile {

// JSON text: the model with its options and weights, its classes, and the published preprocessing as the evaluation
// transforms.
// Throws DataError for weights that are not of a model with classes, such as those of a backbone.
SECTILE_EXPORT std::string published_spec(const CatalogueEntry& entry);

}  // namespace sectile
