// Residual networks (He et al. 2016, arXiv:1512.03385), and their variants ResNeXt (Xie et al. 2017, arXiv:1611.05431)
// and Wide ResNet (Zagoruyko and Komodakis 2016, arXiv:1605.07146), with the names and values of torchvision's; and
// mmsegmentation's ResNetV1c, whose first convolution is three of 3x3 (He et al. 2019, arXiv:1812.01187).
//
// The stride of a bottleneck is in its 3x3 convolution. Dilation (Yu and Koltun 2016, arXiv:1511.07122) follows
// torchvision's replace_stride_with_dilation, which is also mmsegmentation's contract_dilation. torchvision does not
// dilate its basic blocks; here they are as in timm, and those of ResNetV1c as in mmsegmentation, which dilates their
// first convolution only.
#include <algorithm>

#include <ATen/ops/max_pool2d.h>
#include <torch/nn/init.h>

#include <sectile/backbone.h>
#include <sectile/nn/backbone_options.h>
#include <sectile/nn/checkpoint.h>
#include <sectile/nn/stochastic_depth.h>

namespace {

namespace nn = sectile::nn;

constexpr int kStages = 4;
constexpr int kStemChannels = 64;
constexpr int kOutputStride = 32;  // without dilation

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
      : drop_path_rate_(block.drop_path_rate) {
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

  at::Tensor forward(at::Tensor input, bool training) const {
    auto x = layers_.front().forward(input);
    for (std::size_t i = 1; i + 1 < layers_.size(); ++i) x = layers_[i].forward(x);
    auto shortcut = downsample_ ? downsample_->forward(input) : std::move(input);
    if (!training || drop_path_rate_ == 0)
      return layers_.back().forward_added(x, std::move(shortcut), nn::Activation::relu);
    return nn::activate(nn::stochastic_depth(layers_.back().forward(x), drop_path_rate_, training) + shortcut,
                        nn::Activation::relu);
  }

 private:
  std::vector<nn::ConvNormAct> layers_;
  std::optional<nn::ConvNormAct> downsample_;
  double drop_path_rate_;
};

// How many levels must be computed, from the finest one.
std::size_t levels_needed(const sectile::FeatureRequest& request) {
  std::size_t most = 0;
  for (const int level : request.levels) most = std::max(most, request.index(level, kStages + 1) + 1);
  return request.levels.empty() ? kStages + 1 : most;
}

class ResNet : public sectile::Backbone, public sectile::WeightRules {
 public:
  ResNet(const Variant& variant, const ResNetOptions& options, const sectile::BuildContext& context)
      : options_(options), request_(context.features) {
    const int output_stride = request_.output_stride == 0 ? kOutputStride : request_.output_stride;
    if (output_stride != 8 && output_stride != 16 && output_stride != kOutputStride)
      throw sectile::OptionError("type", "has output stride 8, 16 or 32, and the model asks for " +
                                             std::to_string(output_stride) + ": choose another backbone");
    register_stem(variant, context.channels);
    const auto stages = static_cast<int>(levels_needed(request_)) - 1;
    int in = kStemChannels, dilation = 1, index = 0;
    for (int stage = 0; stage < stages; ++stage) {
      BlockOptions block{.in_channels = in, .channels = kStemChannels << stage, .first_dilation = dilation};
      int stride = levels_.back().stride * 2;
      if (stride > output_stride) {
        stride = output_stride;
        dilation *= 2;
      } else if (stage > 0) {
        block.stride = 2;
      }
      if (request_.dilate_first_block) block.first_dilation = dilation;
      block.dilation = dilation;
      const auto path = "layer" + std::to_string(stage + 1);
      auto& blocks = stages_.emplace_back();
      for (int i = 0; i < variant.blocks[static_cast<std::size_t>(stage)]; ++i) {
        block.drop_path_rate = options.drop_path_rate_of(index++, block_count(variant));
        blocks.emplace_back(*this, path + "." + std::to_string(i), variant, block, options);
        in = block.channels * variant.expansion();
        block = {.in_channels = in, .channels = block.channels, .first_dilation = dilation, .dilation = dilation};
      }
      stage_modules_.push_back(&nn::nest(*this, path));
      levels_.push_back({in, stride});
    }
    initialize(variant);
  }

  std::vector<sectile::FeatureLevel> levels() const override { return request_.pick(picked_from(levels_)); }

  // images: float [N, C, H, W]
  std::vector<at::Tensor> features(const at::Tensor& images) override {
    auto x = images;
    for (const auto& layer : stem_) x = layer.forward(x);
    std::vector<at::Tensor> levels{x};
    if (!stages_.empty()) x = at::max_pool2d(x, 3, 2, 1);
    for (std::size_t stage = 0; stage < stages_.size(); ++stage) {
      x = run(stage, std::move(x));
      levels.push_back(x);
    }
    return request_.pick(picked_from(std::move(levels)));
  }

  std::vector<std::string> image_convs() const override { return {image_conv_ + ".weight"}; }
  std::vector<std::string> optional_layers() const override {
    std::vector<std::string> unused{"fc."};
    for (std::size_t stage = stages_.size() + 1; stage <= kStages; ++stage)
      unused.push_back(std::string("layer").append(std::to_string(stage)).append("."));
    return unused;
  }
  // The stem, then layer1 to layer4.
  int depth(const std::string& parameter) const override {
    return parameter.rfind("layer", 0) == 0 ? parameter[5] - '0' : 0;
  }

 private:
  static int block_count(const Variant& variant) {
    int count = 0;
    for (const int blocks : variant.blocks) count += blocks;
    return count;
  }

  // Levels that are not made stand at the end, so that a request counts from either end of all five.
  template <class T>
  static std::vector<T> picked_from(std::vector<T> made) {
    made.resize(kStages + 1);
    return made;
  }

  void register_stem(const Variant& variant, int channels) {
    const auto add = [&](const nn::Names& names, nn::ConvNormActOptions layer) {
      stem_.emplace_back(*this, names, Block::with_norm(std::move(layer), options_));
    };
    if (variant.v1c) {
      constexpr int kHalf = kStemChannels / 2;
      add(nn::in_sequence("stem", 0),
          {.in_channels = channels, .out_channels = kHalf, .kernel_size = 3, .stride = 2, .padding = 1});
      add(nn::in_sequence("stem", 3), {.in_channels = kHalf, .out_channels = kHalf, .kernel_size = 3, .padding = 1});
      add(nn::in_sequence("stem", 6),
          {.in_channels = kHalf, .out_channels = kStemChannels, .kernel_size = 3, .padding = 1});
    } else {
      add({"conv1", "bn1"},
          {.in_channels = channels, .out_channels = kStemChannels, .kernel_size = 7, .stride = 2, .padding = 3});
    }
    image_conv_ = variant.v1c ? "stem.0" : "conv1";
    levels_.push_back({kStemChannels, 2});
  }

  // He normal initialization with fan-out. mmsegmentation starts each branch at zero, with its last norm's weight.
  void initialize(const Variant& variant) {
    const std::string last = variant.bottleneck ? ".bn3" : ".bn2";
    for (const auto& item : named_modules("", /*include_self=*/false)) {
      if (auto* conv = dynamic_cast<nn::Conv*>(item.value().get()))
        torch::nn::init::kaiming_normal_(conv->weight, 0, torch::kFanOut, torch::kReLU);
      auto* norm = dynamic_cast<nn::BatchNorm*>(item.value().get());
      if (norm && variant.v1c && item.key().ends_with(last)) torch::nn::init::zeros_(norm->weight);
    }
  }

  at::Tensor run(std::size_t stage, at::Tensor x) const {
    const auto blocks = [all = stages_[stage], training = is_training()](at::Tensor input) {
      for (const auto& block : all) input = block.forward(std::move(input), training);
      return input;
    };
    if (!options_.gradient_checkpointing || !is_training()) return blocks(std::move(x));
    return nn::checkpoint(blocks, x, stage_modules_[stage]->parameters());
  }

  const ResNetOptions options_;
  const sectile::FeatureRequest request_;
  std::string image_conv_;
  std::vector<nn::ConvNormAct> stem_;
  std::vector<std::vector<Block>> stages_;
  std::vector<torch::nn::Module*> stage_modules_;  // they hold the layers of each stage
  std::vector<sectile::FeatureLevel> levels_;
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
