// Where tensors live, and in which precision the network computes there.
#pragma once

#include <string>

#include <ATen/core/Tensor.h>

#include <sectile/batch.h>

#include "../../ground/spec/pipeline_spec.h"

namespace sectile {

// "cpu", "cuda" or "cuda:1". Opens LibTorch's CUDA libraries when they are asked for, which must happen before anything
// else asks about CUDA. Throws SpecError saying what is missing.
at::Device open_device(const std::string& name);

Batch to_device(Batch batch, const at::Device& device);

// How images and weights lie in memory while a network computes: channels last on GPUs and on processors with
// AVX-512; with AVX2 alone, oneDNN's kernels for the other order are a quarter faster.
at::MemoryFormat network_format(const at::Device& device);

// What a network computes in when the spec wants this: fp32 in place of bf16 and fp16 on processors without
// instructions for them, where emulating those takes several times as long.
PipelineSpec::Precision computed_precision(const at::Device& device, PipelineSpec::Precision wanted);

at::ScalarType scalar_type(PipelineSpec::Precision precision);

// While it lives, this thread computes networks in this precision. Losses belong outside.
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

// libtorch_cpu calls BLAS through the dynamic symbol table: where another library's comes first, matrix products are up
// to 80 times slower without any other sign. Throws PluginError naming the library that comes first.
void check_blas();
std::string blas_library();

}  // namespace sectile
