// MobileNetV2 (Sandler et al. 2018, arXiv:1801.04381), with the names and initialization of torchvision's, and the
// levels of segmentation_models_pytorch's MobileNetV2Encoder. Weights of both load without conversion.
//
// Dilated, its first block of a stage keeps the dilation of the stage before, as in TensorFlow's DeepLab
// (tensorflow/models, research/slim/nets/mobilenet/mobilenet.py), or has that of the others
// (FeatureRequest::dilate_first_block), as in segmentation_models_pytorch.
#include <algorithm>

#include <sectile/nn/backbone_options.h>
#include <sectile/nn/inverted_residual.h>
#include <sectile/nn/staged_backbone.h>

namespace {

namespace nn = sectile::nn;

constexpr int kLevels = 5;
constexpr int kBlocks = 17;

struct MobileNetV2Options : nn::BackboneOptions {
  double width_mult = 1;
  int round_nearest = 8;
  bool last_conv = true;

  void declare(sectile::Options& options) {
    options
        .add("width_mult", &width_mult,
             "Factor of the channels of all layers. Smaller is faster and less accurate; weights need that of the "
             "network "
             "they are from.")
        .at_least(0.05)
        .at_most(4);
    options
        .add("round_nearest", &round_nearest,
             "Channels are rounded to multiples of it. TensorFlow's DeepLab has 1 at other widths than 1.")
        .at_least(1);
    options.add("last_conv", &last_conv,
                "Ends with the 1x1 convolution to 1280 channels, as in classification; without it, with the last block "
                "(320 channels), as in TensorFlow's DeepLab.");
    nn::BackboneOptions::declare(options);
  }
};

// Blocks of equal channels; only the first one has a stride.
struct Group {
  int expand_ratio;
  int channels;
  int blocks;
  int stride;
};
constexpr Group kGroups[] = {{1, 16, 1, 1}, {6, 24, 2, 2},  {6, 32, 3, 2}, {6, 64, 4, 2},
                             {6, 96, 3, 1}, {6, 160, 3, 2}, {6, 320, 1, 1}};

// The nearest multiple of the divisor, but never more than 10 % less.
int rounded(double channels, int divisor) {
  const int nearest = std::max(divisor, static_cast<int>(channels + divisor / 2.0) / divisor * divisor);
  return nearest < 0.9 * channels ? nearest + divisor : nearest;
}

class MobileNetV2 final : public nn::StagedBackbone {
 public:
  MobileNetV2(const MobileNetV2Options& options, const sectile::BuildContext& context)
      : StagedBackbone(context.features, kLevels, options.gradient_checkpointing), options_(options) {
    int in = width(32), index = 1;
    add_conv(0, context.channels, in, {.kernel_size = 3, .stride = 2, .padding = 1});
    for (const auto& group : kGroups)
      for (int i = 0; i < group.blocks; ++i, ++index) {
        const int out = width(group.channels);
        add_block(index, in, out, group.expand_ratio, i == 0 ? group.stride : 1);
        in = out;
        if (index == 1 || index == 3 || index == 6 || index == 13) end_stage(out);
      }
    if (options.last_conv) {
      const int out = rounded(1280 * std::max(1.0, options.width_mult), options.round_nearest);
      add_conv(kBlocks + 1, in, out, {.kernel_size = 1});
      in = out;
    }
    end_stage(in);
    initialize_convs();
  }

  std::vector<std::string> image_convs() const override { return {"features.0.0.weight"}; }
  std::vector<std::string> optional_layers() const override {
    auto all = StagedBackbone::optional_layers();
    all.push_back("classifier.");
    if (!options_.last_conv) all.push_back(path(kBlocks + 1) + ".");
    return all;
  }

 private:
  int width(int channels) const { return rounded(channels * options_.width_mult, options_.round_nearest); }
  static std::string path(int index) { return "features." + std::to_string(index); }

  struct ConvShape {
    int kernel_size;
    int stride = 1;
    int padding = 0;
  };
  void add_conv(int index, int in, int out, const ConvShape& shape) {
    const int stride = step(shape.stride, false).stride;
    add({path(index) + "."}, [&] {
      return nn::ConvNormAct(*this, nn::in_sequence(path(index)),
                             {.in_channels = in,
                              .out_channels = out,
                              .kernel_size = shape.kernel_size,
                              .stride = stride,
                              .padding = shape.padding,
                              .norm = options_.norm(),
                              .eps = options_.eps,
                              .momentum = options_.momentum,
                              .activation = nn::Activation::relu6});
    });
  }

  void add_block(int index, int in, int out, int expand_ratio, int original_stride) {
    const auto [stride, dilation] = step(original_stride, request().dilate_first_block);
    add({path(index) + "."}, [&, stride = stride, dilation = dilation] {
      const auto conv = path(index) + ".conv";
      const int first = expand_ratio == 1 ? -1 : 0;  // index of the expansion
      const auto layer = [&](int i) { return conv + "." + std::to_string(first + i); };
      return nn::InvertedResidual(*this,
                                  {.expand = nn::in_sequence(layer(0)),
                                   .depthwise = nn::in_sequence(layer(1)),
                                   .project = nn::in_sequence(conv, first + 2)},
                                  {.in_channels = in,
                                   .out_channels = out,
                                   .stride = stride,
                                   .dilation = dilation,
                                   .expand_ratio = expand_ratio,
                                   .shortcut = original_stride == 1,
                                   .drop_path_rate = options_.drop_path_rate_of(index - 1, kBlocks),
                                   .norm = options_.norm(),
                                   .eps = options_.eps,
                                   .momentum = options_.momentum});
    });
  }

  MobileNetV2Options options_;
};

}  // namespace

SECTILE_PLUGIN("1.0.0", sectile::backbone<MobileNetV2, MobileNetV2Options>(
                            "mobilenet_v2", "MobileNetV2 of Sandler et al. 2018, as in torchvision; any width."))
