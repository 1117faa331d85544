// MobileNetV3 large and small (Howard et al. 2019, arXiv:1905.02244), with the names and initialization of
// torchvision's `mobilenet_v3_large().features`, as its segmentation networks have them; files for classification load
// too.
//
// Levels are what torchvision's segmentation networks take: the first layer of each stride, and the last convolution.
// Dilated, a whole stage has the same dilation, as with torchvision's `dilated`.
#include <algorithm>
#include <span>

#include <sectile/nn/backbone_options.h>
#include <sectile/nn/inverted_residual.h>
#include <sectile/nn/staged_backbone.h>

namespace {

namespace nn = sectile::nn;

constexpr int kLevels = 5;
constexpr int kStemChannels = 16;

struct MobileNetV3Options : nn::BackboneOptions {
  MobileNetV3Options() : nn::BackboneOptions(1e-3, 0.01) {}
};

// Tables 1 and 2 of the paper.
constexpr auto kRelu = nn::Activation::relu;
constexpr auto kHardSwish = nn::Activation::hard_swish;
struct Block {
  int kernel_size;
  int hidden_channels;
  int out_channels;
  bool squeezes;
  nn::Activation activation;
  int stride;
};
constexpr Block kLarge[] = {
    {3, 16, 16, false, kRelu, 1},       {3, 64, 24, false, kRelu, 2},       {3, 72, 24, false, kRelu, 1},
    {5, 72, 40, true, kRelu, 2},        {5, 120, 40, true, kRelu, 1},       {5, 120, 40, true, kRelu, 1},
    {3, 240, 80, false, kHardSwish, 2}, {3, 200, 80, false, kHardSwish, 1}, {3, 184, 80, false, kHardSwish, 1},
    {3, 184, 80, false, kHardSwish, 1}, {3, 480, 112, true, kHardSwish, 1}, {3, 672, 112, true, kHardSwish, 1},
    {5, 672, 160, true, kHardSwish, 2}, {5, 960, 160, true, kHardSwish, 1}, {5, 960, 160, true, kHardSwish, 1}};
constexpr Block kSmall[] = {
    {3, 16, 16, true, kRelu, 2},       {3, 72, 24, false, kRelu, 2},      {3, 88, 24, false, kRelu, 1},
    {5, 96, 40, true, kHardSwish, 2},  {5, 240, 40, true, kHardSwish, 1}, {5, 240, 40, true, kHardSwish, 1},
    {5, 120, 48, true, kHardSwish, 1}, {5, 144, 48, true, kHardSwish, 1}, {5, 288, 96, true, kHardSwish, 2},
    {5, 576, 96, true, kHardSwish, 1}, {5, 576, 96, true, kHardSwish, 1}};

// Of squeeze and excitation: the multiple of 8 that is nearest to a quarter, but never more than 10 % less.
int squeezed(int hidden) {
  const int quarter = hidden / 4, nearest = std::max(8, (quarter + 4) / 8 * 8);
  return nearest < 0.9 * quarter ? nearest + 8 : nearest;
}

class MobileNetV3 : public nn::StagedBackbone {
 public:
  MobileNetV3(std::span<const Block> blocks, const MobileNetV3Options& options, const sectile::BuildContext& context)
      : StagedBackbone(context.features, kLevels, options.gradient_checkpointing),
        options_(options),
        blocks_(static_cast<int>(blocks.size())) {
    add_conv(0, context.channels, kStemChannels, {.kernel_size = 3, .stride = 2, .padding = 1});
    end_stage(kStemChannels);
    int in = kStemChannels, strides = 1, index = 1;
    for (const auto& block : blocks) {
      add_block(index++, in, block);
      in = block.out_channels;
      if (block.stride == 2 && ++strides < kLevels) end_stage(in);  // the last stride is in the stage of the last level
    }
    add_conv(index, in, 6 * in, {.kernel_size = 1});
    end_stage(6 * in);
    initialize_convs();
  }

  std::vector<std::string> image_convs() const override { return {"0.0.weight"}; }
  std::vector<sectile::Dialect> dialects() const override {
    return {{"torchvision's classification", [](sectile::NamedTensors& file) { file.rename("features.*", "*"); }}};
  }
  std::vector<std::string> optional_layers() const override {
    auto all = StagedBackbone::optional_layers();
    all.push_back("classifier.");
    return all;
  }

 private:
  struct ConvShape {
    int kernel_size;
    int stride = 1;
    int padding = 0;
  };
  void add_conv(int index, int in, int out, const ConvShape& shape) {
    const auto path = std::to_string(index);
    const int stride = step(shape.stride, true).stride;
    add({path + "."}, [&] {
      return nn::ConvNormAct(*this, nn::in_sequence(path),
                             {.in_channels = in,
                              .out_channels = out,
                              .kernel_size = shape.kernel_size,
                              .stride = stride,
                              .padding = shape.padding,
                              .norm = options_.norm(),
                              .eps = options_.eps,
                              .momentum = options_.momentum,
                              .activation = kHardSwish});
    });
  }

  void add_block(int index, int in, const Block& block) {
    const auto [stride, dilation] = step(block.stride, true);
    const auto path = std::to_string(index) + ".";
    add({path}, [&, stride = stride, dilation = dilation] {
      int next = block.hidden_channels == in ? -1 : 0;  // without an expansion, the depthwise convolution is number 0
      const auto layer = [&] { return path + "block." + std::to_string(next++); };
      nn::InvertedResidualNames names;
      names.expand = nn::in_sequence(layer());
      names.depthwise = nn::in_sequence(layer());
      if (block.squeezes) {
        const auto squeeze = layer();
        names.squeeze = {squeeze + ".fc1", squeeze + ".fc2"};
      }
      names.project = nn::in_sequence(layer());
      return nn::InvertedResidual(*this, names,
                                  {.in_channels = in,
                                   .out_channels = block.out_channels,
                                   .kernel_size = block.kernel_size,
                                   .stride = stride,
                                   .dilation = dilation,
                                   .hidden_channels = block.hidden_channels,
                                   .squeezed_channels = block.squeezes ? squeezed(block.hidden_channels) : 0,
                                   .shortcut = block.stride == 1,
                                   .drop_path_rate = options_.drop_path_rate_of(index - 1, blocks_),
                                   .norm = options_.norm(),
                                   .eps = options_.eps,
                                   .momentum = options_.momentum,
                                   .activation = block.activation,
                                   .gate = nn::Activation::hard_sigmoid});
    });
  }

  MobileNetV3Options options_;
  int blocks_;
};

class MobileNetV3Large final : public MobileNetV3 {
 public:
  MobileNetV3Large(const MobileNetV3Options& options, const sectile::BuildContext& context)
      : MobileNetV3(kLarge, options, context) {}
};

class MobileNetV3Small final : public MobileNetV3 {
 public:
  MobileNetV3Small(const MobileNetV3Options& options, const sectile::BuildContext& context)
      : MobileNetV3(kSmall, options, context) {}
};

}  // namespace

SECTILE_PLUGIN("1.0.0",
               sectile::backbone<MobileNetV3Large, MobileNetV3Options>(
                   "mobilenet_v3_large", "MobileNetV3-Large of Howard et al. 2019, as in torchvision."),
               sectile::backbone<MobileNetV3Small, MobileNetV3Options>(
                   "mobilenet_v3_small", "MobileNetV3-Small of Howard et al. 2019, as in torchvision."))
