#include <sectile/nn/decoders/unet_block.h>

#include <ATen/ops/cat.h>

namespace sectile::nn {
namespace {

ConvNormActOptions block_conv(int in, int out, Norm norm) {
  return {.in_channels = in, .out_channels = out, .kernel_size = 3, .padding = 1, .norm = norm};
}

}  // namespace

UnetBlock::UnetBlock(torch::nn::Module& owner, const std::string& path, const UnetBlockOptions& options)
    : interpolation_(options.interpolation),
      first_(owner, in_sequence(path + ".conv1"),
             block_conv(options.in_channels + options.skip_channels.value_or(0), options.out_channels, options.norm)),
      second_(owner, in_sequence(path + ".conv2"),
              block_conv(options.out_channels, options.out_channels, options.norm)) {
  if (options.attention == Attention::none) return;
  // The original also makes the first one where there is no skip connection, and does not use it there.
  if (options.skip_channels)
    joined_attention_.emplace(owner, path + ".attention1.attention", options.in_channels + *options.skip_channels);
  last_attention_.emplace(owner, path + ".attention2.attention", options.out_channels);
}

at::Tensor UnetBlock::forward(const at::Tensor& deeper, const at::Tensor& skip) const {
  const auto upsampled = resize(deeper, skip.sizes().slice(2), interpolation_);
  if (!joined_attention_) return finish(first_.forward(upsampled, skip));
  return finish(first_.forward(joined_attention_->forward(at::cat({upsampled, skip}, 1))));
}

at::Tensor UnetBlock::forward(const at::Tensor& deeper, at::IntArrayRef size) const {
  return finish(first_.forward(resize(deeper, size, interpolation_)));
}

at::Tensor UnetBlock::finish(const at::Tensor& convolved) const {
  const auto x = second_.forward(convolved);
  return last_attention_ ? last_attention_->forward(x) : x;
}

}  // namespace sectile::nn
