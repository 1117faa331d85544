#include <sectile/nn/aspp.h>

#include <ATen/ops/cat.h>
#include <ATen/ops/dropout.h>

namespace sectile::nn {
namespace {

ConvNormActOptions pointwise(int in_channels, const AsppOptions& options) {
  return {.in_channels = in_channels,
          .out_channels = options.channels,
          .kernel_size = 1,
          .norm = options.norm,
          .eps = options.eps,
          .momentum = options.momentum};
}

ConvNormActOptions dilated(int rate, const AsppOptions& options) {
  auto conv = pointwise(options.in_channels, options);
  conv.kernel_size = 3;
  conv.padding = conv.dilation = rate;
  return conv;
}

}  // namespace

Aspp::Aspp(torch::nn::Module& owner, const std::string& path, const AsppOptions& options)
    : level_(nest(owner, path)),
      project_(owner, in_sequence(path + ".project"),
               pointwise((static_cast<int>(options.atrous_rates.size()) + 2) * options.channels, options)),
      dropout_(options.dropout),
      mean_first_(options.mean_first) {
  const auto branch = [&] { return path + ".convs." + std::to_string(branches_.size()); };
  branches_.push_back({nullptr, ConvNormAct(owner, in_sequence(branch()), pointwise(options.in_channels, options))});
  for (const int rate : options.atrous_rates) {
    const auto at = branch();
    if (!options.separable) {
      branches_.push_back({nullptr, ConvNormAct(owner, in_sequence(at), dilated(rate, options))});
      continue;
    }
    auto depthwise = register_at(owner, at + ".0.0",
                                 std::make_shared<Conv>(ConvOptions{.in_channels = options.in_channels,
                                                                    .out_channels = options.in_channels,
                                                                    .kernel_size = 3,
                                                                    .padding = rate,
                                                                    .dilation = rate,
                                                                    .groups = options.in_channels,
                                                                    .bias = false}));
    branches_.push_back(
        {std::move(depthwise), ConvNormAct(owner, {at + ".0.1", at + ".1"}, pointwise(options.in_channels, options))});
  }
  // 0 is the pooling of the original.
  branches_.push_back({nullptr, ConvNormAct(owner, in_sequence(branch(), 1), pointwise(options.in_channels, options))});
}

at::Tensor Aspp::forward(const at::Tensor& input) const {
  std::vector<at::Tensor> parts;
  for (const auto& branch : branches_) {
    if (parts.size() + 1 == branches_.size()) break;
    parts.push_back(branch.conv.forward(branch.depthwise ? branch.depthwise->forward(input) : input));
  }
  // Interpolating a single pixel gives that pixel everywhere.
  const auto mean = branches_.back().conv.forward(input.mean({2, 3}, /*keepdim=*/true));
  parts.insert(mean_first_ ? parts.begin() : parts.end(), mean.expand({-1, -1, input.size(2), input.size(3)}));
  return at::dropout(project_.forward(at::cat(parts, 1)), dropout_, level_.is_training());
}

}  // namespace sectile::nn
