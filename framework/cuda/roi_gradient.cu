#include "roi_gradient.h"

#include "functions.h"
#include "launch.h"

namespace sectile::cuda {
namespace {

// Blocks x: tiles of all images; y: groups of channels.
template <class Feature>
__global__ void add_gradients(RoiAlign call, int level) {
  using Number = typename SumOf<Feature>::Type;
  __shared__ TileMemory<Number> memory;
  const int across = (call.levels[level].width + kTile - 1) / kTile,
            down = (call.levels[level].height + kTile - 1) / kTile;
  RoiTile tile;
  tile.image = blockIdx.x / (across * down);
  tile.row = static_cast<int>(blockIdx.x / across % down) * kTile;
  tile.column = static_cast<int>(blockIdx.x % across) * kTile;
  tile.channel = std::int64_t{blockIdx.y} * kTileChannels;
  tile.channels = static_cast<int>(smaller<std::int64_t>(kTileChannels, call.channels - tile.channel));
  write_tile<Feature>(Block(), call, level, tile, memory);
}

template <class Feature>
void queue_levels(const RoiAlign& call, cudaStream_t stream) {
  for (int i = 0; i < call.level_count; ++i) {
    const auto& level = call.levels[i];
    const auto tiles = level.images * blocks_of(level.height, kTile) * blocks_of(level.width, kTile);
    const dim3 blocks(static_cast<unsigned>(tiles), blocks_of(call.channels, kTileChannels));
    if (tiles > 0 && call.channels > 0) add_gradients<Feature><<<blocks, kTileChannels, 0, stream>>>(call, i);
  }
}

}  // namespace

int queue_roi_gradient(const RoiAlign& call, const Queue& queue) {
  return queued(queue, [&](cudaStream_t stream) {
    if (call.type == Type::float64)
      queue_levels<double>(call, stream);
    else if (call.type == Type::bfloat16)
      queue_levels<Bfloat16>(call, stream);
    else
      queue_levels<float>(call, stream);
  });
}

}  // namespace sectile::cuda
