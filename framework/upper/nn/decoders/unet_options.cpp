#include <sectile/nn/decoders/unet_options.h>

#include <sectile/error.h>

namespace sectile::nn {

void UnetOptions::declare(Options& options, const char* channels_help) {
  EncoderOptions::declare(options);
  options.add("channels", &channels, channels_help).at_least(1);
  options
      .add("attention", &attention,
           "scse: spatial and channel squeeze and excitation in each block, which weighs channels and pixels; a few "
           "percent slower.")
      .one_of({"none", "scse"});
  options
      .add("interpolation", &interpolation,
           "How features are upsampled in each block. nearest is faster, bilinear gives smoother borders.")
      .one_of({"nearest", "bilinear"});
  options.add("norm", &norm, "Normalization after each convolution of the decoder: batch norm, or none (with a bias).")
      .one_of({"none", "batch"});
}

void UnetOptions::check(Problems& problems) const {
  constexpr int kSmallestReduced = 16;  // channels that scSE can reduce
  if (channels.size() != static_cast<std::size_t>(depth))
    problems.add("channels", "has " + std::to_string(channels.size()) + " values, and depth is " +
                                 std::to_string(depth) + ": give one for each level");
  for (std::size_t i = 0; attention == Attention::scse && i < channels.size(); ++i)
    if (channels[i] < kSmallestReduced)
      problems.add("channels", "entry " + std::to_string(i) + " is " + std::to_string(channels[i]) +
                                   ", and \"attention\": \"scse\" needs 16 or more");
}

UnetBlockOptions UnetOptions::block(int in_channels, std::optional<int> skip_channels, int out_channels) const {
  return {.in_channels = in_channels,
          .skip_channels = skip_channels,
          .out_channels = out_channels,
          .norm = norm,
          .attention = attention,
          .interpolation = interpolation};
}

}  // namespace sectile::nn
