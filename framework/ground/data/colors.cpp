#include <algorithm>
#include <cmath>

#include <sectile/data/colors.h>

namespace sectile {

std::array<std::uint8_t, 3> distinct_color(int index) {
  // Hues at steps of the golden ratio never repeat; three strengths distinguish similar hues.
  static constexpr double kGolden = 0.6180339887498949;
  static constexpr double kStrength[3][2] = {{0.80, 0.92}, {0.55, 1.00}, {0.90, 0.62}};  // saturation, value
  const double hue = std::fmod(0.57 + index * kGolden, 1.0) * 6;
  const double saturation = kStrength[index % 3][0], value = kStrength[index % 3][1];
  std::array<std::uint8_t, 3> color{};
  for (int channel = 0; channel < 3; ++channel) {
    const double k = std::fmod(5 - 2 * channel + hue, 6);  // HSV to RGB without cases
    const double level = value - value * saturation * std::clamp(std::min(k, 4 - k), 0.0, 1.0);
    color[static_cast<std::size_t>(channel)] = static_cast<std::uint8_t>(std::lround(level * 255));
  }
  return color;
}

}  // namespace sectile
