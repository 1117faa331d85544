#include "nms.h"

#include "functions.h"
#include "launch.h"

namespace sectile::cuda {
namespace {

constexpr int kThreads = 512;

// A block for each box, of which those of the first in each class work: how many there are is only known here.
template <class Number>
__global__ void suppress(Nms call) {
  __shared__ NmsMemory<Number> memory;
  if (is_first_of_class(call, blockIdx.x)) suppress_class<Number>(Block(), call, blockIdx.x, memory);
}

}  // namespace

int queue_nms(const Nms& call, const Queue& queue) {
  return queued(queue, [&](cudaStream_t stream) {
    if (call.count == 0) return;
    const auto blocks = blocks_of(call.count, 1);
    if (call.type == Type::float64)
      suppress<double><<<blocks, kThreads, 0, stream>>>(call);
    else
      suppress<float><<<blocks, kThreads, 0, stream>>>(call);
  });
}

}  // namespace sectile::cuda
