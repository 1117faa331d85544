// Other names of the same weights.
#pragma once

#include <sectile/named_tensors.h>

namespace mit {

// Of the modules of transformers' version 5, whose files keep the old names unless a program writes its own.
void from_transformers_5(sectile::NamedTensors& file);
// Of the paper's code, and of segmentation_models_pytorch: stages counted from 1, key and value in one layer.
void from_original(sectile::NamedTensors& file);

}  // namespace mit
