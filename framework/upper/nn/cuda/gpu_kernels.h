// The kernels for GPUs, in a library of its own, and where to queue them.
#pragma once

#include <filesystem>
#include <string>

#include <ATen/core/Tensor.h>

#include "../../../cuda/kernels.h"

namespace sectile::nn {

// Loads a libsectile_cuda.so. Throws PluginError if it is not there, as in a build without nvcc.
const cuda::Kernels& load_gpu_kernels(const std::filesystem::path& library);
std::filesystem::path gpu_kernels_file();  // of this installation

// What a tensor's device is given work by.
struct Gpu {
  const cuda::Kernels& kernels;
  cuda::Queue queue;

  // Throws PluginError for an error code other than 0.
  void check(int error, const std::string& operation) const;
};
// With the kernels of this installation, loaded at the first call, and the device's current stream: work comes after
// what made the tensor.
Gpu gpu_of(const at::Tensor& tensor);

}  // namespace sectile::nn
