// Makes LibTorch's version part of what a plugin says about itself. A plugin of the ground floor alone says nothing of
// it and outlives a change of LibTorch.
#pragma once

#include <torch/version.h>

#include <sectile/abi.h>

#ifndef SECTILE_TORCH_VERSION_  // the tests override it to build a plugin that must be refused
#define SECTILE_TORCH_VERSION_ TORCH_VERSION
#endif
#undef SECTILE_ABI_TORCH_
#define SECTILE_ABI_TORCH_ "; libtorch " SECTILE_TORCH_VERSION_
