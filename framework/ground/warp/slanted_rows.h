// Where the pixels of one row of a slanted warp's result come from.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include <sectile/transform.h>

namespace sectile {

// What a row needs to know of the warp and of the maps that it moves.
struct Slant {
  const Warp& warp;
  int width, height;  // of the source
  bool perspective;

  Slant(const Warp& its_warp, const Extent& from);
};

// Buffers of one row; each is of the result's width.
struct SlantedRow {
  explicit SlantedRow(int width)
      : xs(static_cast<std::size_t>(width)), ys(xs.size()), first(xs.size()), right(xs.size()), down(xs.size()) {}

  std::vector<double> xs, ys;       // positions in the source; outside: -1
  std::vector<std::int32_t> first;  // of linear and cubic, below
  std::vector<float> right, down;   // of linear: how far the position is on the way from a pixel to the next ones
  std::vector<std::int32_t> left{}, top{};  // of cubic, as are:
  std::vector<float> weights{};             // [8, width]: of four columns, and of four lines
  std::vector<std::int32_t> packed{};       // for blends: [2, width]
};

// Of a map in memory, in bytes.
struct PixelSteps {
  int line, pixel;
};

// All write where the nearest pixel is, row by row of the source; outside: -1. linear: and in `first` the first of four
// neighbors, in bytes (outside: -1); at the edge, the edge is repeated. cubic: and in `first` the first of sixteen
// neighbors, in bytes; outside: -1; where not all of them are in the source: -2, and in `left` and `top` the pixel at
// or before the position, which may be -1.
void place_nearest(const Slant& slant, int row, SlantedRow& buffers, std::int32_t* nearest);
void place_linear(const Slant& slant, int row, const PixelSteps& steps, SlantedRow& to, std::int32_t* nearest);
void place_cubic(const Slant& slant, int row, const PixelSteps& steps, SlantedRow& to, std::int32_t* nearest);

}  // namespace sectile
