// Adds LibTorch's version to the stamp of a plugin. Plugins that use only the ground floor do not include it, and keep
// working with another LibTorch.
#pragma once

#include <torch/version.h>

#include <sectile/abi.h>

#ifndef SECTILE_TORCH_VERSION_  // the tests override it to build a plugin that must be refused
#define SECTILE_TORCH_VERSION_ TORCH_VERSION
#endif
#undef SECTILE_ABI_TORCH_
#define SECTILE_ABI_TORCH_ "; libtorch " SECTILE_TORCH_VERSION_
