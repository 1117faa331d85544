// U-Net (Ronneberger, Fischer and Brox 2015, arXiv:1505.04597) with a backbone as its way down. Names, options and
// numbers are those of segmentation_models_pytorch's Unet, whose weights load without conversion.
#include <sectile/nn/decoders/unet_options.h>

namespace {

namespace nn = sectile::nn;

struct UnetEncoderOptions : nn::UnetOptions {
  void declare(sectile::Options& options) {
    UnetOptions::declare(options, "Channels of the decoder's blocks, from the deepest one up; one for each level.");
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
      std::optional<int> skip_channels;
      if (skip > 0) skip_channels = channels()[static_cast<std::size_t>(skip)];
      blocks_.emplace_back(*this, "decoder.blocks." + std::to_string(i), options.block(in, skip_channels, out));
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
