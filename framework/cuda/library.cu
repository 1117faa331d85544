#include <cuda_runtime_api.h>

#include "functions.h"

namespace {
const char* message(int error) { return cudaGetErrorString(static_cast<cudaError_t>(error)); }
}  // namespace

extern "C" __attribute__((visibility("default")))
const sectile::cuda::Kernels sectile_cuda_kernels{message,
                                                  sectile::cuda::queue_roi_align,
                                                  sectile::cuda::queue_roi_gradient,
                                                  sectile::cuda::queue_nms,
                                                  sectile::cuda::queue_count_runs,
                                                  sectile::cuda::queue_write_runs};
