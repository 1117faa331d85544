// Options of U-Nets with a backbone.
#pragma once

#include <vector>

#include <sectile/nn/decoders/encoder_decoder.h>
#include <sectile/nn/decoders/unet_block.h>

namespace sectile::nn {

// For a model's options to derive from; its `declare` calls this one.
struct SECTILE_EXPORT UnetOptions : EncoderOptions {
  std::vector<int> channels = {256, 128, 64, 32, 16};
  Attention attention = Attention::none;
  Interpolation interpolation = Interpolation::nearest;
  Norm norm = Norm::batch;

  // channels_help: which blocks have them.
  void declare(Options& options, const char* channels_help);
  void check(Problems& problems) const;

  UnetBlockOptions block(int in_channels, std::optional<int> skip_channels, int out_channels) const;
};

}  // namespace sectile::nn
