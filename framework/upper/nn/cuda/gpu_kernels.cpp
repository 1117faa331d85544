#include "gpu_kernels.h"

#include <dlfcn.h>

#include <c10/core/impl/VirtualGuardImpl.h>

#include <sectile/error.h>

#include "../../../ground/plugins/library.h"

namespace sectile::nn {

const cuda::Kernels& load_gpu_kernels(const std::filesystem::path& library) {
  if (!std::filesystem::exists(library))
    throw PluginError(library.string(),
                      "is not there, and without it boxes, their features and their masks stay on the CPU: Sectile was "
                      "built on a machine without nvcc. Install the CUDA toolkit and build again, or use cpu");
  void* const handle = dlopen(library.c_str(), RTLD_NOW | RTLD_LOCAL);
  const void* const symbol = handle ? dlsym(handle, cuda::kKernels) : nullptr;
  if (!symbol)
    throw PluginError(library.string(), std::string("cannot be loaded: ") + dlerror() +
                                            "; it belongs to this program: install both together");
  return *static_cast<const cuda::Kernels*>(symbol);
}

std::filesystem::path gpu_kernels_file() { return own_folder() / "sectile/libsectile_cuda.so"; }

void Gpu::check(int error, const std::string& operation) const {
  if (error != 0) throw PluginError(operation, std::string("cannot run on this GPU: ").append(kernels.message(error)));
}

// LibTorch's interface for all devices: nothing of CUDA is linked.
Gpu gpu_of(const at::Tensor& tensor) {
  static const cuda::Kernels& kernels = load_gpu_kernels(gpu_kernels_file());
  const c10::impl::VirtualGuardImpl device(tensor.device().type());
  return {kernels, {tensor.device().index(), device.getStreamNativeHandle(device.getStream(tensor.device()))}};
}

}  // namespace sectile::nn
