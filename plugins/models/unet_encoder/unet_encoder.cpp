// U-Net (Ronneberger, Fischer and Brox 2015, arXiv:1505.04597) with a backbone as its way down. Names, options and
// numbers are those of segmentation_models_pytorch's Unet, whose weights load without conversion.
#include <sectile/nn/decoders/encoder_decoder.h>
#include <sectile/nn/decoders/unet_block.h>

namespace {

namespace nn = sectile::nn;

constexpr int kSmallestReduced = 16;  // channels that scSE can reduce

struct UnetEncoderOptions : nn::EncoderOptions {
  std::vector<int> channels = {256, 128, 64, 32, 16};
  nn::Attention attention = nn::Attention::none;
  nn::Interpolation interpolation = nn::Interpolation::nearest;
  nn::Norm norm = nn::Norm::batch;

  void declare(sectile::Options& options) {
    nn::EncoderOptions::declare(options);
    options.add("channels", &channels, "Channels of the decoder's blocks, from the deepest one up; one for each level.")
        .at_least(1);
    options
        .add("attention", &attention,
             "scse: spatial and channel squeeze and excitation in each block, which weighs channels and pixels; a few "
             "percent slower.")
        .one_of({"none", "scse"});
    options
        .add("interpolation", &interpolation,
             "How features are upsampled in each block. nearest is faster, bilinear gives smoother borders.")
        .one_of({"nearest", "bilinear"});
    options
        .add("norm", &norm, "Normalization after each convolution of the decoder: batch norm, or none (with a bias).")
        .one_of({"none", "batch"});
  }
  void check(sectile::Problems& problems) const {
    if (channels.size() != static_cast<std::size_t>(depth))
      problems.add("channels", "has " + std::to_string(channels.size()) + " values, and depth is " +
                                   std::to_string(depth) + ": give one for each level");
    for (std::size_t i = 0; attention == nn::Attention::scse && i < channels.size(); ++i)
      if (channels[i] < kSmallestReduced)
        problems.add("channels", "entry " + std::to_string(i) + " is " + std::to_string(channels[i]) +
                                     ", and \"attention\": \"scse\" needs 16 or more");
  }
};

class UnetEncoder : public nn::EncoderDecoder {
 public:
  UnetEncoder(const UnetEncoderOptions& options, const sectile::BuildContext& context)
      : EncoderDecoder(options.backbone, context, all_levels(options.depth)) {
    int in = channels().back();
    for (int i = 0; i < options.depth; ++i) {
      const int skip = options.depth - 1 - i;  // index of the level; 0 are the images, which are none
      const int out = options.channels[static_cast<std::size_t>(i)];
      blocks_.emplace_back(
          *this, "decoder.blocks." + std::to_string(i),
          nn::UnetBlockOptions{.in_channels = in,
                               .skip_channels = skip > 0 ? channels()[static_cast<std::size_t>(skip)] : 0,
                               .out_channels = out,
                               .norm = options.norm,
                               .attention = options.attention,
                               .interpolation = options.interpolation});
      in = out;
    }
    register_head(in, /*kernel_size=*/3);
    initialize();
  }

  std::vector<std::string> optional_layers() const override {
    auto layers = EncoderDecoder::optional_layers();
    // Made by the original, which uses it only behind a skip connection.
    layers.push_back("decoder.blocks." + std::to_string(blocks_.size() - 1) + ".attention1.");
    return layers;
  }

 protected:
  at::Tensor decode(const std::vector<at::Tensor>& features) override {
    auto x = features.back();
    for (std::size_t i = 0; i < blocks_.size(); ++i) {
      const auto& skip = features[blocks_.size() - 1 - i];
      const bool is_images = i + 1 == blocks_.size();
      x = is_images ? blocks_[i].forward(x, skip.sizes().slice(2)) : blocks_[i].forward(x, skip);
    }
    return x;
  }
  bool takes_any_size() const override { return true; }

 private:
  std::vector<nn::UnetBlock> blocks_;  // deepest first
};

}  // namespace

SECTILE_PLUGIN("1.0.0",
               sectile::model<UnetEncoder, UnetEncoderOptions>(
                   "unet_encoder", "U-Net of Ronneberger et al. 2015 with any backbone, for any size of images."))
