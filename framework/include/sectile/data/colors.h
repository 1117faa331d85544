// Default colors of classes.
#pragma once

#include <array>
#include <cstdint>

#include <sectile/abi.h>

namespace sectile {

// RGB; consecutive numbers differ clearly in hue, and colors of similar hue in brightness. Never changes between
// versions.
SECTILE_EXPORT std::array<std::uint8_t, 3> distinct_color(int index);

}  // namespace sectile
