// What the kernels share: threads as a team, and the stream that they are queued on.
#pragma once

#include <cuda_runtime_api.h>

#include "kernels.h"
#include "portable.h"

namespace sectile::cuda {

struct Block {
  template <class Use>
  __device__ void each(std::int64_t count, const Use& use) const {
    for (std::int64_t i = threadIdx.x; i < count; i += blockDim.x) use(i);
    wait();
  }
  __device__ void wait() const { __syncthreads(); }
};

// queue_work(stream) starts kernels on a device. What failed is forgotten, so that the next call does not report it.
template <class Work>
int queued(const Queue& queue, const Work& queue_work) {
  if (const auto error = cudaSetDevice(queue.device); error != cudaSuccess) return error;
  queue_work(static_cast<cudaStream_t>(queue.stream));
  return cudaGetLastError();
}

inline unsigned blocks_of(std::int64_t count, std::int64_t each) {
  return static_cast<unsigned>((count + each - 1) / each);
}

}  // namespace sectile::cuda
