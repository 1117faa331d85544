// Residual networks (He et al. 2016, arXiv:1512.03385), and their variants ResNeXt (Xie et al. 2017, arXiv:1611.05431)
// and Wide ResNet (Zagoruyko and Komodakis 2016, arXiv:1605.07146), with the names and values of torchvision's; and
// mmsegmentation's ResNetV1c, whose first convolution is three of 3x3 (He et al. 2019, arXiv:1812.01187).
//
// The stride of a bottleneck is in its 3x3 convolution. Dilation (Yu and Koltun 2016, arXiv:1511.07122) follows
// torchvision's replace_stride_with_dilation, which is also mmsegmentation's contract_dilation. torchvision does not
// dilate its basic blocks; here they are as in timm, and those of ResNetV1c as in mmsegmentation, which dilates their
// first convolution only.
#include <array>
#include <numeric>

#include <ATen/ops/max_pool2d.h>
#include <torch/nn/init.h>

#include <sectile/nn/backbone_options.h>
#include <sectile/nn/staged_backbone.h>
#include <sectile/nn/stochastic_depth.h>

namespace {

namespace nn = sectile::nn;

constexpr int kStages = 4;
constexpr int kStemChannels = 64;

struct Variant {
  std::array<int, kStages> blocks;
  bool bottleneck = true;
  int groups = 1;
  int width_per_group = 64;
  bool v1c = false;

  constexpr int expansion() const { return bottleneck ? 4 : 1; }
};

struct ResNetOptions : nn::BackboneOptions {};

struct BlockOptions {
  int in_channels;
  int channels;  // before the expansion
  int stride = 1;
  int first_dilation = 1;  // of the convolution with the stride
  int dilation = 1;        // of the other 3x3 convolutions
  double drop_path_rate = 0;
};

class Block final {
 public:
  Block(torch::nn::Module& owner, const std::string& path, const Variant& variant, const BlockOptions& block,
        const nn::BackboneOptions& common)
      : owner_(&owner), drop_path_rate_(block.drop_path_rate) {
    const int out = block.channels * variant.expansion();
    const auto add = [&](nn::ConvNormActOptions options) {
      const auto number = std::to_string(layers_.size() + 1);
      layers_.emplace_back(owner, nn::Names{path + ".conv" + number, path + ".bn" + number},
                           with_norm(std::move(options), common));
    };
    if (variant.bottleneck) {
      const int width = block.channels * variant.width_per_group / 64 * variant.groups;
      add({.in_channels = block.in_channels, .out_channels = width, .kernel_size = 1});
      add({.in_channels = width,
           .out_channels = width,
           .kernel_size = 3,
           .stride = block.stride,
           .padding = block.first_dilation,
           .dilation = block.first_dilation,
           .groups = variant.groups});
      add({.in_channels = width, .out_channels = out, .kernel_size = 1, .activation = nn::Activation::none});
    } else {
      const int second_dilation = variant.v1c ? 1 : block.dilation;
      add({.in_channels = block.in_channels,
           .out_channels = out,
           .kernel_size = 3,
           .stride = block.stride,
           .padding = block.first_dilation,
           .dilation = block.first_dilation});
      add({.in_channels = out,
           .out_channels = out,
           .kernel_size = 3,
           .padding = second_dilation,
           .dilation = second_dilation,
           .activation = nn::Activation::none});
    }
    if (block.stride != 1 || block.in_channels != out)
      downsample_.emplace(owner, nn::in_sequence(path + ".downsample"),
                          with_norm({.in_channels = block.in_channels,
                                     .out_channels = out,
                                     .kernel_size = 1,
                                     .stride = block.stride,
                                     .activation = nn::Activation::none},
                                    common));
  }

  static nn::ConvNormActOptions with_norm(nn::ConvNormActOptions options, const nn::BackboneOptions& common) {
    options.norm = common.norm();
    options.eps = common.eps;
    options.momentum = common.momentum;
    return options;
  }

  at::Tensor forward(at::Tensor input) const {
    auto x = layers_.front().forward(input);
    for (std::size_t i = 1; i + 1 < layers_.size(); ++i) x = layers_[i].forward(x);
    auto shortcut = downsample_ ? downsample_->forward(input) : std::move(input);
    if (!owner_->is_training() || drop_path_rate_ == 0)
      return layers_.back().forward_added(x, std::move(shortcut), nn::Activation::relu);
    const auto branch = nn::stochastic_depth(layers_.back().forward(x), drop_path_rate_, /*training=*/true);
    return nn::activate(branch + shortcut, nn::Activation::relu);
  }

 private:
  const torch::nn::Module* owner_;  // contains the layers
  std::vector<nn::ConvNormAct> layers_;
  std::optional<nn::ConvNormAct> downsample_;
  double drop_path_rate_;
};

struct MaxPool {
  at::Tensor forward(const at::Tensor& input) const { return at::max_pool2d(input, 3, 2, 1); }
};

class ResNet : public nn::StagedBackbone {
 public:
  ResNet(const Variant& variant, const ResNetOptions& options, const sectile::BuildContext& context)
      : StagedBackbone(context.features, kStages + 1, options.gradient_checkpointing), options_(options) {
    add_stem(variant, context.channels);
    end_stage(kStemChannels);
    step(2, false);  // that of the pooling
    add({}, [] { return MaxPool(); });
    const int blocks = std::accumulate(variant.blocks.begin(), variant.blocks.end(), 0);
    int in = kStemChannels, index = 0;
    for (int stage = 0; stage < kStages; ++stage) {
      const int channels = kStemChannels << stage;
      for (int i = 0; i < variant.blocks[static_cast<std::size_t>(stage)]; ++i, ++index) {
        const auto [stride, first_dilation] = step(i == 0 && stage > 0 ? 2 : 1, request().dilate_first_block);
        const BlockOptions block{.in_channels = in,
                                 .channels = channels,
                                 .stride = stride,
                                 .first_dilation = first_dilation,
                                 .dilation = step(1, false).dilation,
                                 .drop_path_rate = options.drop_path_rate_of(index, blocks)};
        const auto path = "layer" + std::to_string(stage + 1) + "." + std::to_string(i);
        add({path + "."}, [&] { return Block(*this, path, variant, block, options); });
        in = channels * variant.expansion();
      }
      end_stage(in);
    }
    initialize_convs();
    if (variant.v1c) zero_branches(variant);
  }

  std::vector<std::string> image_convs() const override { return {image_conv_ + ".weight"}; }
  std::vector<std::string> optional_layers() const override {
    auto all = StagedBackbone::optional_layers();
    all.push_back("fc.");
    return all;
  }

 private:
  void add_stem(const Variant& variant, int channels) {
    const auto add_conv = [&](const nn::Names& names, const nn::ConvNormActOptions& conv) {
      add({names.conv + ".", names.norm + "."},
          [&] { return nn::ConvNormAct(*this, names, Block::with_norm(conv, options_)); });
    };
    const int stride = step(2, false).stride;
    if (variant.v1c) {
      constexpr int kHalf = kStemChannels / 2;
      add_conv(nn::in_sequence("stem", 0),
               {.in_channels = channels, .out_channels = kHalf, .kernel_size = 3, .stride = stride, .padding = 1});
      add_conv(nn::in_sequence("stem", 3),
               {.in_channels = kHalf, .out_channels = kHalf, .kernel_size = 3, .padding = 1});
      add_conv(nn::in_sequence("stem", 6),
               {.in_channels = kHalf, .out_channels = kStemChannels, .kernel_size = 3, .padding = 1});
    } else {
      add_conv(
          {"conv1", "bn1"},
          {.in_channels = channels, .out_channels = kStemChannels, .kernel_size = 7, .stride = stride, .padding = 3});
    }
    image_conv_ = variant.v1c ? "stem.0" : "conv1";
  }

  // mmsegmentation starts each branch at zero, with the weight of its last norm.
  void zero_branches(const Variant& variant) {
    const std::string last = variant.bottleneck ? ".bn3" : ".bn2";
    for (const auto& item : named_modules("", /*include_self=*/false))
      if (auto* norm = dynamic_cast<nn::BatchNorm*>(item.value().get()); norm && item.key().ends_with(last))
        torch::nn::init::zeros_(norm->weight);
  }

  const ResNetOptions options_;
  std::string image_conv_;
};

template <Variant kVariant>
struct Named final : ResNet {
  Named(const ResNetOptions& options, const sectile::BuildContext& context) : ResNet(kVariant, options, context) {}
};

template <Variant kVariant>
constexpr sectile::Component named(const char* name, const char* summary) {
  return sectile::backbone<Named<kVariant>, ResNetOptions>(name, summary);
}

constexpr std::array<int, kStages> k18 = {2, 2, 2, 2}, k50 = {3, 4, 6, 3}, k101 = {3, 4, 23, 3}, k152 = {3, 8, 36, 3};

}  // namespace

SECTILE_PLUGIN(
    "1.0.0", named<{.blocks = k18, .bottleneck = false}>("resnet18", "ResNet-18 of He et al. 2016."),
    named<{.blocks = k50, .bottleneck = false}>("resnet34", "ResNet-34 of He et al. 2016."),
    named<{.blocks = k50}>("resnet50", "ResNet-50 of He et al. 2016, as in torchvision."),
    named<{.blocks = k101}>("resnet101", "ResNet-101 of He et al. 2016, as in torchvision."),
    named<{.blocks = k152}>("resnet152", "ResNet-152 of He et al. 2016, as in torchvision."),
    named<{.blocks = k50, .groups = 32, .width_per_group = 4}>(
        "resnext50_32x4d", "ResNeXt-50 of Xie et al. 2017: 32 groups of 4 channels."),
    named<{.blocks = k101, .groups = 32, .width_per_group = 8}>(
        "resnext101_32x8d", "ResNeXt-101 of Xie et al. 2017: 32 groups of 8 channels."),
    named<{.blocks = k50, .width_per_group = 128}>(
        "wide_resnet50_2", "Wide ResNet-50 of Zagoruyko and Komodakis 2016: bottlenecks of twice the width."),
    named<{.blocks = k18, .bottleneck = false, .v1c = true}>(
        "resnet18_v1c", "ResNet-18 whose stem is three 3x3 convolutions, as in MMSegmentation."),
    named<{.blocks = k50, .bottleneck = false, .v1c = true}>(
        "resnet34_v1c", "ResNet-34 whose stem is three 3x3 convolutions, as in MMSegmentation."),
    named<{.blocks = k50, .v1c = true}>("resnet50_v1c",
                                        "ResNet-50 whose stem is three 3x3 convolutions, as in MMSegmentation."),
    named<{.blocks = k101, .v1c = true}>("resnet101_v1c",
                                         "ResNet-101 whose stem is three 3x3 convolutions, as in MMSegmentation."),
    named<{.blocks = k152, .v1c = true}>("resnet152_v1c",
                                         "ResNet-152 whose stem is three 3x3 convolutions, as in MMSegmentation."))
