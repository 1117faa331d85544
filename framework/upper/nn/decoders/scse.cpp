#include <sectile/nn/decoders/scse.h>

#include <sectile/error.h>

namespace sectile::nn {
namespace {

ConvNormAct scse_conv(torch::nn::Module& owner, const std::string& path, int in, int out, Activation activation) {
  return {owner,
          {path},
          {.in_channels = in, .out_channels = out, .kernel_size = 1, .norm = Norm::none, .activation = activation}};
}

int reduced_channels(int channels, int reduction) {
  if (channels < reduction)
    throw PluginError("squeeze and excitation", "of " + std::to_string(channels) + " channels cannot reduce them by " +
                                                    std::to_string(reduction) + "; give at least as many channels");
  return channels / reduction;
}

}  // namespace

Scse::Scse(torch::nn::Module& owner, const std::string& path, int channels, int reduction)
    : squeeze_(scse_conv(owner, path + ".cSE.1", channels, reduced_channels(channels, reduction), Activation::relu)),
      excite_(scse_conv(owner, path + ".cSE.3", channels / reduction, channels, Activation::sigmoid)),
      spatial_(scse_conv(owner, path + ".sSE.0", channels, 1, Activation::sigmoid)) {}

at::Tensor Scse::forward(const at::Tensor& input) const {
  const auto of_channels = excite_.forward(squeeze_.forward(input.mean({2, 3}, /*keepdim=*/true)));  // [N, C, 1, 1]
  return input * (of_channels + spatial_.forward(input));
}

}  // namespace sectile::nn
