// The device of tensors, and the precision of the network on it.
#pragma once

#include <string>

#include <ATen/core/Tensor.h>

#include <sectile/batch.h>

#include "../../ground/spec/pipeline_spec.h"

namespace sectile {

// "cpu", "cuda" or "cuda:1". Loads LibTorch's CUDA libraries if needed, which must happen before any other use of CUDA.
// Throws SpecError saying what is missing.
at::Device open_device(const std::string& name);

Batch to_device(Batch batch, const at::Device& device);

// Memory format of images and weights: channels last on GPUs and on processors with AVX-512; with AVX2 only, oneDNN's
// kernels for contiguous tensors are a quarter faster.
at::MemoryFormat network_format(const at::Device& device);

// The precision that is used if the spec requests this one: fp32 instead of bf16 and fp16 on processors without
// instructions for them, because emulation takes several times as long.
PipelineSpec::Precision computed_precision(const at::Device& device, PipelineSpec::Precision wanted);

at::ScalarType scalar_type(PipelineSpec::Precision precision);

// During its lifetime, this thread runs networks in this precision. Compute losses outside.
class PrecisionScope {
 public:
  PrecisionScope(const at::Device& device, PipelineSpec::Precision precision);
  ~PrecisionScope();
  PrecisionScope(const PrecisionScope&) = delete;
  PrecisionScope& operator=(const PrecisionScope&) = delete;

 private:
  const c10::DeviceType type_;
  const bool active_;
};

// libtorch_cpu calls BLAS through the dynamic symbol table: if the BLAS of another library is found first, matrix
// products are up to 80 times slower, without an error. Throws PluginError naming the library that is found first.
void check_blas();
std::string blas_library();

// Only deterministic algorithms on a GPU; an operation without one throws.
void want_determinism();

}  // namespace sectile
