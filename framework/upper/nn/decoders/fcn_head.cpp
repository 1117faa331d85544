#include <sectile/nn/decoders/fcn_head.h>

#include <algorithm>

#include <ATen/ops/dropout.h>

#include <sectile/error.h>

namespace sectile::nn {
namespace {

constexpr int kReduction = 4;        // of channels
constexpr int kAuxiliaryStride = 8;  // at most

int middle_channels(const FcnHeadOptions& options) { return std::max(1, options.in_channels / kReduction); }

}  // namespace

FcnHead::FcnHead(torch::nn::Module& owner, const std::string& path, const FcnHeadOptions& options)
    : level_(nest(owner, path)),
      conv_(owner, in_sequence(path),
            {.in_channels = options.in_channels,
             .out_channels = middle_channels(options),
             .kernel_size = 3,
             .padding = 1,
             .eps = options.eps,
             .momentum = options.momentum}),
      classifier_(register_at(
          owner, path + ".4",
          std::make_shared<Conv>(ConvOptions{
              .in_channels = middle_channels(options), .out_channels = options.classes, .kernel_size = 1}))),
      dropout_(options.dropout) {}

at::Tensor FcnHead::forward(const at::Tensor& features) const {
  return classifier_->forward(at::dropout(conv_.forward(features), dropout_, level_.is_training()));
}

std::size_t FcnHead::auxiliary_level(const std::vector<FeatureLevel>& levels) {
  for (std::size_t i = levels.size(); i-- > 1;)
    if (levels[i - 1].stride <= kAuxiliaryStride) return i - 1;
  throw OptionError("aux_loss",
                    "needs features at 1/8 of the image or finer, and the backbone has none besides its "
                    "last: set it to false, or choose another backbone");
}

}  // namespace sectile::nn
