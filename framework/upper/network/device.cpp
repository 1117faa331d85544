#include "device.h"

#include <dlfcn.h>

#include <ATen/Context.h>
#include <ATen/autocast_mode.h>
#include <ATen/detail/CUDAHooksInterface.h>

#include <sectile/error.h>

namespace sectile {
namespace {

void open_cuda() {
  if (!dlopen("libcuda.so.1", RTLD_NOW | RTLD_GLOBAL))
    throw SpecError("device", "CUDA was asked for, and this machine has no NVIDIA driver; use cpu");
  if (!dlopen("libtorch_cuda.so", RTLD_NOW | RTLD_GLOBAL))
    throw SpecError("device", std::string("LibTorch's CUDA libraries cannot be loaded: ") + dlerror() +
                                  ". Install them with SECTILE_CUDA=1 scripts/setup.sh, or use cpu");
  // The first convolution asks for them too, and LibTorch remembers for good that they were not there.
  if (!at::detail::getCUDAHooks().hasCUDART())
    throw SpecError(
        "device",
        "LibTorch ran on the CPU before its CUDA libraries were loaded, and cannot use them any more in this "
        "process: open the first network on cuda before others run on the cpu");
}

at::Tensor moved(const at::Tensor& tensor, const at::Device& device) {
  return tensor.defined() ? tensor.to(device, /*non_blocking=*/true) : tensor;
}

}  // namespace

at::Device open_device(const std::string& name) {
  const bool known = name == "cpu" || name == "cuda" ||
                     (name.rfind("cuda:", 0) == 0 && name.size() > 5 && name.size() < 8 &&
                      name.find_first_not_of("0123456789", 5) == std::string::npos);
  if (!known) throw SpecError("device", "unknown device \"" + name + "\"; known: cpu, cuda, cuda:0, cuda:1, …");
  const at::Device device(name);
  if (device.is_cpu()) return device;
  open_cuda();
  const auto count = at::detail::getCUDAHooks().deviceCount();
  if (std::max<int>(device.index(), 0) >= count)
    throw SpecError("device",
                    "\"" + name + "\" is not there: this machine has " + std::to_string(count) + " CUDA devices");
  return device;
}

Batch to_device(Batch batch, const at::Device& device) {
  if (device.is_cpu()) return batch;
  batch.images = moved(batch.images, device);
  batch.labels = moved(batch.labels, device);
  batch.tags = moved(batch.tags, device);
  for (auto& [name, target] : batch.targets) target = moved(target, device);
  for (auto& objects : batch.objects) {
    objects.boxes = moved(objects.boxes, device);
    objects.classes = moved(objects.classes, device);
    objects.masks = moved(objects.masks, device);
    objects.crowd = moved(objects.crowd, device);
  }
  for (auto& shot : batch.support) shot = to_device(std::move(shot), device);
  return batch;
}

at::MemoryFormat network_format(const at::Device& device) {
#if defined(__x86_64__)
  if (device.is_cpu() && !__builtin_cpu_supports("avx512f")) return at::MemoryFormat::Contiguous;
#endif
  return at::MemoryFormat::ChannelsLast;
}

PipelineSpec::Precision computed_precision(const at::Device& device, PipelineSpec::Precision wanted) {
  using Precision = PipelineSpec::Precision;
#if defined(__x86_64__)
  if (!device.is_cpu()) return wanted;
  if (wanted == Precision::bf16 && !__builtin_cpu_supports("avx512bf16")) return Precision::fp32;
  if (wanted == Precision::fp16 && !__builtin_cpu_supports("avx512fp16")) return Precision::fp32;
#endif
  return wanted;
}

at::ScalarType scalar_type(PipelineSpec::Precision precision) {
  switch (precision) {
    case PipelineSpec::Precision::bf16:
      return at::kBFloat16;
    case PipelineSpec::Precision::fp16:
      return at::kHalf;
    case PipelineSpec::Precision::fp64:
      return at::kDouble;
    case PipelineSpec::Precision::fp32:
      break;
  }
  return at::kFloat;
}

PrecisionScope::PrecisionScope(const at::Device& device, PipelineSpec::Precision precision)
    : type_(device.type()),
      active_(precision == PipelineSpec::Precision::bf16 || precision == PipelineSpec::Precision::fp16) {
  if (!active_) return;
  at::autocast::set_autocast_dtype(type_, scalar_type(precision));
  at::autocast::set_autocast_enabled(type_, true);
  at::autocast::increment_nesting();
}
PrecisionScope::~PrecisionScope() {
  if (!active_) return;
  if (at::autocast::decrement_nesting() == 0) at::autocast::clear_cache();
  at::autocast::set_autocast_enabled(type_, false);
}

std::string blas_library() {
  Dl_info from{};
  void* symbol = dlsym(RTLD_DEFAULT, "sgemm_");
  if (!symbol || !dladdr(symbol, &from) || !from.dli_fname) return {};
  return from.dli_fname;
}

void check_blas() {
  const auto library = blas_library();
  if (library.find("libtorch_cpu") == std::string::npos)
    throw PluginError(
        library.empty() ? "sgemm_" : library,
        "its matrix product comes before LibTorch's own and is many times slower: the program must link libtorch_cpu "
        "directly (target LibTorch::cpu), and nothing with a BLAS may be preloaded");
}

void want_determinism() {
  setenv("CUBLAS_WORKSPACE_CONFIG", ":4096:8", /*overwrite=*/0);
  auto& context = at::globalContext();
  context.setDeterministicAlgorithms(true, /*warn_only=*/false);
  context.setDeterministicFillUninitializedMemory(false);
  context.setDeterministicCuDNN(true);
}

}  // namespace sectile
