// LibTorch's meta device, on which tensors have shapes and no values: what runs there reads no value on the host and
// has no shape that depends on values.
//
// LibTorch's C++ side has no meta kernels of convolutions, batch norm and many more (Python registers those). Linking
// this file fills the gap: such an operator runs on the CPU over zeros, for its shapes alone, unless LibTorch tags it
// as one whose output is a value or has a shape that depends on values.
#pragma once

#include <functional>
#include <string>

#include <sectile/batch.h>

namespace torch::nn {
class Module;
}

namespace sectile::contract {

at::Tensor on_meta(const at::Tensor& tensor);  // undefined stays undefined
Batch on_meta(const Batch& batch);             // its tensors; the truth stays as it is
void to_meta(torch::nn::Module& module);       // for good; before it has computed anything

// Why a step does not run there; empty: it does.
std::string peeks(const std::function<void()>& step);

}  // namespace sectile::contract
