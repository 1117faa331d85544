#include "paste_masks.h"

#include "functions.h"
#include "launch.h"

namespace sectile::cuda {
namespace {

constexpr int kThreads = 128;

// A thread for each column of each mask.
__global__ void count_runs(PasteMasks call) {
  const auto index = std::int64_t{blockIdx.x} * blockDim.x + threadIdx.x;
  if (index < call.count * call.width) count_runs_of(call, index);
}
__global__ void write_runs(PasteMasks call) {
  const auto index = std::int64_t{blockIdx.x} * blockDim.x + threadIdx.x;
  if (index < call.count * call.width) write_runs_of(call, index);
}

}  // namespace

int queue_count_runs(const PasteMasks& call, const Queue& queue) {
  return queued(queue, [&](cudaStream_t stream) {
    if (call.count * call.width == 0) return;
    count_runs<<<blocks_of(call.count * call.width, kThreads), kThreads, 0, stream>>>(call);
  });
}

int queue_write_runs(const PasteMasks& call, const Queue& queue) {
  return queued(queue, [&](cudaStream_t stream) {
    if (call.count * call.width == 0) return;
    write_runs<<<blocks_of(call.count * call.width, kThreads), kThreads, 0, stream>>>(call);
  });
}

}  // namespace sectile::cuda
