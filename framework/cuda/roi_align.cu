#include "roi_align.h"

#include "functions.h"
#include "launch.h"

namespace sectile::cuda {
namespace {

constexpr int kThreads = 128;

// Threads x: groups of kLanes channels; y: bins.
template <class Feature, int kLanes>
__global__ void average(RoiAlign call) {
  const std::int64_t row = std::int64_t{blockIdx.x} * blockDim.y + threadIdx.y;
  const auto bins = call.bins * call.bins;
  if (row >= call.regions * bins) return;
  const auto region = row / bins;
  const int level = call.places[2 * region + 1] - call.first_level;
  if (level < 0 || level >= call.level_count) return;
  for (auto channel = std::int64_t{threadIdx.x} * kLanes; channel < call.channels; channel += blockDim.x * kLanes)
    average_bin<Feature, kLanes>(call, call.levels[level], region, static_cast<int>(row % bins), channel);
}

template <class Feature, int kLanes>
void queue_average(const RoiAlign& call, cudaStream_t stream) {
  const auto groups = call.channels / kLanes;
  unsigned wide = 1;
  while (wide < groups && wide < kThreads) wide *= 2;
  const dim3 threads(wide, kThreads / wide);
  average<Feature, kLanes><<<blocks_of(call.regions * call.bins * call.bins, threads.y), threads, 0, stream>>>(call);
}

// Sixteen bytes at a time where all channels begin at multiples of them.
template <class Feature>
void queue_widest(const RoiAlign& call, cudaStream_t stream) {
  constexpr int kLanes = 16 / sizeof(Feature);
  const auto is_aligned = [](const void* pointer) { return reinterpret_cast<std::uintptr_t>(pointer) % 16 == 0; };
  bool wide = call.channels % kLanes == 0 && is_aligned(call.output);
  for (int i = 0; i < call.level_count; ++i) wide = wide && is_aligned(call.levels[i].features);
  if (wide)
    queue_average<Feature, kLanes>(call, stream);
  else
    queue_average<Feature, 1>(call, stream);
}

}  // namespace

int queue_roi_align(const RoiAlign& call, const Queue& queue) {
  return queued(queue, [&](cudaStream_t stream) {
    if (call.regions == 0 || call.channels == 0) return;
    if (call.type == Type::float64)
      queue_widest<double>(call, stream);
    else if (call.type == Type::bfloat16)
      queue_widest<Bfloat16>(call, stream);
    else
      queue_widest<float>(call, stream);
  });
}

}  // namespace sectile::cuda
