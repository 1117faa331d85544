// The 171 classes of COCO-Stuff.
#pragma once

#include <array>
#include <cstdint>

#include <sectile/context.h>

namespace coco_stuff {

constexpr int kIds = 182;  // 1 to 91 are things, 92 to 182 stuff

// In the order of their ids, which are category_id: 80 things, then 91 kinds of stuff.
sectile::LabelMap label_map();

// The class number of each value of a pixel map. kUnused: an id that no image has; kUnknown: no id at all.
constexpr std::int16_t kUnused = -1, kUnknown = -2;
std::array<std::int16_t, 256> numbers_of_values();

}  // namespace coco_stuff
