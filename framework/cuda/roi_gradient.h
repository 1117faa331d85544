// The gradient of RoIAlign. Each block owns a small tile of the features and some channels, and adds the regions that
// touch it in their order: the same numbers in every run, without atomic additions, and each is written once.
#pragma once

#include "roi_align.h"

namespace sectile::cuda {

constexpr int kTile = 4;           // pixels per side
constexpr int kTileChannels = 64;  // of a block
constexpr int kWords = 64;         // regions are looked at in groups of kWords * kWordBits
constexpr int kWordBits = 16;

// What the threads of a block share.
template <class Number>
struct TileMemory {
  std::uint32_t touching[kWords];  // bits of the regions that touch the tile
  Number sums[kTile * kTile * kTileChannels];
  // Of the region in work: how much of each bin's average each row and each column of the tile is.
  Number rows[kMostRoiBins * kTile], columns[kMostRoiBins * kTile];
};

struct RoiTile {
  std::int64_t image;
  int row, column;       // of its first pixel
  std::int64_t channel;  // the first
  int channels;          // kTileChannels, or what is left
};

// Whether samples may lie on pixels first to first + kTile - 1: true too often, but never false where some do.
template <class Number>
SECTILE_DEVICE bool may_touch(const RoiAxis<Number>& axis, int first) {
  const Number end = axis.start + axis.length;
  const Number low = smaller(axis.start, end) - 2, high = larger(axis.start, end) + 2;
  return !(high < static_cast<Number>(first) || low > static_cast<Number>(first + kTile - 1));
}

template <class Number>
SECTILE_DEVICE bool touches(const RoiAlign& call, int level, const RoiTile& tile, std::int64_t region) {
  const auto* const place = call.places + 2 * region;
  if (place[0] != tile.image || place[1] != call.first_level + level) return false;
  return may_touch(roi_rows<Number>(call, call.levels[level], region), tile.row) &&
         may_touch(roi_columns<Number>(call, call.levels[level], region), tile.column);
}

// How much of a bin's average a pixel is, along one axis.
template <class Number>
SECTILE_DEVICE Number pixel_weight(const RoiAxis<Number>& axis, int bin, int pixel) {
  Number weight = 0;
  for (int i = 0; i < axis.grid; ++i) {
    const auto sample = roi_sample(axis, bin, i);
    if (sample.low == pixel) weight += sample.low_weight;
    if (sample.high == pixel && sample.high != sample.low) weight += sample.high_weight;
  }
  return weight;
}

template <class Number>
SECTILE_DEVICE bool all_zero(const Number* weights) {
  for (int i = 0; i < kTile; ++i)
    if (weights[i] != 0) return false;
  return true;
}

// Adds the gradient of one channel of a region. sums: of the channel, kTileChannels apart.
template <class Feature, class Number>
SECTILE_DEVICE void add_channel(const RoiAlign& call, std::int64_t region, std::int64_t channel,
                                const TileMemory<Number>& memory, Number* sums) {
  const auto* const gradient =
      static_cast<const Feature*>(call.output) + region * call.bins * call.bins * call.channels + channel;
  Number of_region[kTile * kTile] = {};
  for (int y = 0; y < call.bins; ++y) {
    const auto* const rows = memory.rows + y * kTile;
    if (all_zero(rows)) continue;
    Number across[kTile] = {};
    for (int x = 0; x < call.bins; ++x) {
      const auto* const columns = memory.columns + x * kTile;
      if (all_zero(columns)) continue;
      const Number of_bin = widened(gradient[(std::int64_t{y} * call.bins + x) * call.channels]);
      for (int i = 0; i < kTile; ++i) across[i] = multiply_add(columns[i], of_bin, across[i]);
    }
    for (int i = 0; i < kTile * kTile; ++i)
      of_region[i] = multiply_add(rows[i / kTile], across[i % kTile], of_region[i]);
  }
  for (int i = 0; i < kTile * kTile; ++i) sums[i * kTileChannels] += of_region[i];
}

template <class Feature, class Number, class Team>
SECTILE_DEVICE void add_region(const Team& team, const RoiAlign& call, int level, const RoiTile& tile,
                               std::int64_t region, TileMemory<Number>& memory) {
  team.each(2 * call.bins * kTile, [&](std::int64_t i) {
    const int index = static_cast<int>(i) % (call.bins * kTile), bin = index / kTile, cell = index % kTile;
    if (i == index)
      memory.rows[index] = pixel_weight(roi_rows<Number>(call, call.levels[level], region), bin, tile.row + cell);
    else
      memory.columns[index] =
          pixel_weight(roi_columns<Number>(call, call.levels[level], region), bin, tile.column + cell);
  });
  team.each(tile.channels,
            [&](std::int64_t c) { add_channel<Feature>(call, region, tile.channel + c, memory, memory.sums + c); });
}

// level: of this call.
template <class Feature, class Number, class Team>
SECTILE_DEVICE void write_tile(const Team& team, const RoiAlign& call, int level, const RoiTile& tile,
                               TileMemory<Number>& memory) {
  team.each(kTile * kTile * kTileChannels, [&](std::int64_t i) { memory.sums[i] = 0; });
  for (std::int64_t first = 0; first < call.regions; first += kWords * kWordBits) {
    team.each(kWords, [&](std::int64_t word) {
      std::uint32_t bits = 0;
      for (int bit = 0; bit < kWordBits; ++bit) {
        const auto region = first + word * kWordBits + bit;
        if (region < call.regions && touches<Number>(call, level, tile, region)) bits |= 1u << bit;
      }
      memory.touching[word] = bits;
    });
    for (int word = 0; word < kWords; ++word)
      for (std::uint64_t bits = memory.touching[word]; bits != 0; bits &= bits - 1)
        add_region<Feature>(team, call, level, tile, first + word * kWordBits + lowest_bit(bits), memory);
    team.wait();  // all have read the words that are written next
  }
  const auto& of_level = call.levels[level];
  team.each(tile.channels, [&](std::int64_t c) {
    for (int i = 0; i < kTile * kTile; ++i) {
      const int row = tile.row + i / kTile, column = tile.column + i % kTile;
      if (row >= of_level.height || column >= of_level.width) continue;
      const auto pixel = (tile.image * of_level.height + row) * of_level.width + column;
      narrow(memory.sums[i * kTileChannels + c],
             static_cast<Feature*>(of_level.features)[pixel * call.channels + tile.channel + c]);
    }
  });
}

}  // namespace sectile::cuda
