// Colors for classes of which no file says any.
#pragma once

#include <array>
#include <cstdint>

#include <sectile/abi.h>

namespace sectile {

// RGB; neighbours in number differ clearly in hue, and colors of like hue in brightness. The same for ever.
SECTILE_EXPORT std::array<std::uint8_t, 3> distinct_color(int index);

}  // namespace sectile
