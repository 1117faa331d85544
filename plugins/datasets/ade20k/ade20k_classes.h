// The classes of SceneParse150.
#pragma once

#include <sectile/context.h>

namespace ade20k {

constexpr int kClasses = 150;

sectile::LabelMap label_map();  // category_id is the value in masks, 1 to 150

}  // namespace ade20k
