// Names of layers as dotted paths below an owner, so that a network's state dict has the same names as the original,
// whatever modules the original nests its layers in.
#pragma once

#include <memory>
#include <string>
#include <utility>

#include <torch/nn/module.h>

#include <sectile/torch_abi.h>

namespace sectile::nn {

// The module at the path ("down1.maxpool_conv.1"); missing levels are created as empty modules. An empty path is the
// owner. The result lives as long as the owner.
SECTILE_EXPORT torch::nn::Module& nest(torch::nn::Module& owner, const std::string& path);

// Registers a layer under the last name of the path ("outc.conv"), in the levels before it. LibTorch throws c10::Error
// if the name is taken.
template <class Layer>
std::shared_ptr<Layer> register_at(torch::nn::Module& owner, const std::string& path, std::shared_ptr<Layer> layer) {
  const auto dot = path.rfind('.');
  if (dot == std::string::npos) return owner.register_module(path, std::move(layer));
  return nest(owner, path.substr(0, dot)).register_module(path.substr(dot + 1), std::move(layer));
}

// Paths of a convolution and of the norm after it.
struct Names {
  std::string conv;
  std::string norm{};
};

// <path>.conv and <path>.bn, as in mmcv's ConvModule.
SECTILE_EXPORT Names conv_bn(const std::string& path);
// <path>.<first> and <path>.<first + 1>, as in an nn.Sequential of convolution, norm and activation.
SECTILE_EXPORT Names in_sequence(const std::string& path, int first = 0);

}  // namespace sectile::nn
