// A row of pixels from right to left.
#pragma once

#include <cstddef>
#include <cstdint>

namespace sectile {

// Of three bytes each, for which cv::flip has no vectors. from, to: apart.
void reverse_three_bytes(const std::uint8_t* from, std::uint8_t* to, std::size_t count);

}  // namespace sectile
