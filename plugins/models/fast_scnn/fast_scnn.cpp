// Fast-SCNN (Poudel, Liwicki and Cipolla 2019, arXiv:1902.04502), with the two auxiliary heads, parameter names and
// initialization of mmsegmentation's fast_scnn configuration, whose weights load without conversion.
//
// Logits have 1/8 of the image's size. Auxiliary logits (1/32 for the global features, 1/8 for the detail) are computed
// in training mode only.
#include <ATen/ops/feature_dropout.h>
#include <torch/nn/init.h>

#include <sectile/model.h>
#include <sectile/nn/depthwise_separable_conv.h>
#include <sectile/nn/inverted_residual.h>
#include <sectile/nn/pyramid_pooling.h>
#include <sectile/nn/resize.h>

namespace {

namespace nn = sectile::nn;

constexpr int kDetailChannels = 64;   // of the learned downsampling, at 1/8
constexpr int kGlobalChannels = 128;  // of the global features, at 1/32
constexpr int kFusedChannels = 128;
constexpr int kAuxiliaryChannels = 32;
constexpr int kReduction = 32;

struct FastScnnOptions {
  double dropout = 0.1;
  double momentum = 0.1;

  void declare(sectile::Options& options) {
    options.add("dropout", &dropout, "Dropout probability before each head's classifier.").at_least(0).at_most(0.99);
    options
        .add("momentum", &momentum,
             "Momentum of the batch norm statistics. MMSegmentation uses 0.01 with long schedules.")
        .at_least(0)
        .at_most(1);
  }
};

// With mmsegmentation's names, and an activation only at the end.
nn::DepthwiseSeparableConv separable(torch::nn::Module& owner, const std::string& path, int in, int out, int stride,
                                     double momentum) {
  return {owner,
          {nn::conv_bn(path + ".depthwise_conv"), nn::conv_bn(path + ".pointwise_conv")},
          {.in_channels = in,
           .out_channels = out,
           .stride = stride,
           .momentum = momentum,
           .depthwise_activation = nn::Activation::none}};
}

// float [N, C, H, W] → [N, 64, H/8, W/8]
class LearningToDownsample final {
 public:
  LearningToDownsample(torch::nn::Module& owner, const std::string& path, int channels, double momentum)
      : conv_(owner, nn::conv_bn(path + ".conv"),
              {.in_channels = channels,
               .out_channels = 32,
               .kernel_size = 3,
               .stride = 2,
               .padding = 1,
               .momentum = momentum}),
        first_(separable(owner, path + ".dsconv1", 32, 48, 2, momentum)),
        second_(separable(owner, path + ".dsconv2", 48, kDetailChannels, 2, momentum)) {}

  at::Tensor forward(const at::Tensor& images) const { return second_.forward(first_.forward(conv_.forward(images))); }

 private:
  nn::ConvNormAct conv_;
  nn::DepthwiseSeparableConv first_;
  nn::DepthwiseSeparableConv second_;
};

// float [N, 64, H/8, W/8] → [N, 128, H/32, W/32]
class GlobalFeatureExtractor final {
 public:
  GlobalFeatureExtractor(torch::nn::Module& owner, const std::string& path, double momentum)
      : blocks_(bottlenecks(owner, path, momentum)),
        pooling_(owner,  // index 0 of each scale is the pooling
                 {nn::conv_bn(path + ".ppm.0.1"), nn::conv_bn(path + ".ppm.1.1"), nn::conv_bn(path + ".ppm.2.1"),
                  nn::conv_bn(path + ".ppm.3.1")},
                 {.in_channels = kGlobalChannels, .channels = kGlobalChannels / 4, .momentum = momentum}),
        out_(owner, nn::conv_bn(path + ".out"),
             {.in_channels = 2 * kGlobalChannels,
              .out_channels = kGlobalChannels,
              .kernel_size = 3,
              .padding = 1,
              .momentum = momentum}) {}

  at::Tensor forward(const at::Tensor& detail) const {
    auto x = detail;
    for (const auto& block : blocks_) x = block.forward(x);
    return out_.forward(pooling_.forward(x));
  }

 private:
  static std::vector<nn::InvertedResidual> bottlenecks(torch::nn::Module& owner, const std::string& path,
                                                       double momentum) {
    constexpr int kBlocks = 3;  // in each bottleneck; only the first one has a stride
    std::vector<nn::InvertedResidual> blocks;
    int in = kDetailChannels, number = 1;
    for (const auto& [out, stride] : {std::pair(64, 2), std::pair(96, 2), std::pair(kGlobalChannels, 1)}) {
      for (int i = 0; i < kBlocks; ++i) {
        const auto conv = path + ".bottleneck" + std::to_string(number) + "." + std::to_string(i) + ".conv.";
        const nn::InvertedResidualNames names{nn::conv_bn(conv + "0"), nn::conv_bn(conv + "1"),
                                              nn::conv_bn(conv + "2")};
        blocks.emplace_back(owner, names,
                            nn::InvertedResidualOptions{.in_channels = in,
                                                        .out_channels = out,
                                                        .stride = i == 0 ? stride : 1,
                                                        .momentum = momentum,
                                                        .activation = nn::Activation::relu});
        in = out;
      }
      ++number;
    }
    return blocks;
  }

  std::vector<nn::InvertedResidual> blocks_;
  nn::PyramidPooling pooling_;
  nn::ConvNormAct out_;
};

// detail [N, 64, H/8, W/8] and global features [N, 128, H/32, W/32] → [N, 128, H/8, W/8]
class FeatureFusion final {
 public:
  FeatureFusion(torch::nn::Module& owner, const std::string& path, double momentum)
      : filter_(owner, nn::conv_bn(path + ".dwconv"),
                {.in_channels = kGlobalChannels,
                 .out_channels = kFusedChannels,
                 .kernel_size = 3,
                 .padding = 1,
                 .groups = kFusedChannels,
                 .momentum = momentum}),
        lower_(projection(owner, path + ".conv_lower_res", kFusedChannels, momentum)),
        higher_(projection(owner, path + ".conv_higher_res", kDetailChannels, momentum)) {}

  at::Tensor forward(const at::Tensor& detail, const at::Tensor& global) const {
    const auto lower = lower_.forward(filter_.forward(nn::resize_like(global, detail)));
    return nn::activate(higher_.forward(detail) + lower, nn::Activation::relu);
  }

 private:
  static nn::ConvNormAct projection(torch::nn::Module& owner, const std::string& path, int in, double momentum) {
    return {owner,
            nn::conv_bn(path),
            {.in_channels = in,
             .out_channels = kFusedChannels,
             .kernel_size = 1,
             .momentum = momentum,
             .activation = nn::Activation::none}};
  }

  nn::ConvNormAct filter_;
  nn::ConvNormAct lower_;
  nn::ConvNormAct higher_;
};

// Convolutions, dropout of whole channels, and a classifier per pixel.
template <class Block>
class Head final {
 public:
  Head(torch::nn::Module& level, std::vector<Block> convs, int channels, int classes, double dropout)
      : level_(level),
        convs_(std::move(convs)),
        classifier_(level.register_module(
            "conv_seg", std::make_shared<nn::Conv>(
                            nn::ConvOptions{.in_channels = channels, .out_channels = classes, .kernel_size = 1}))),
        dropout_(dropout) {}

  at::Tensor forward(const at::Tensor& features) const {
    auto x = features;
    for (const auto& conv : convs_) x = conv.forward(x);
    return classifier_->forward(at::feature_dropout(x, dropout_, level_.is_training()));
  }
  const nn::Conv& classifier() const { return *classifier_; }

 private:
  const torch::nn::Module& level_;  // contains the layers
  std::vector<Block> convs_;
  std::shared_ptr<nn::Conv> classifier_;
  double dropout_;
};
using MainHead = Head<nn::DepthwiseSeparableConv>;
using AuxiliaryHead = Head<nn::ConvNormAct>;

class FastScnn : public torch::nn::Module, public sectile::WeightRules {
 public:
  FastScnn(const FastScnnOptions& options, const sectile::BuildContext& context)
      : downsample_(*this, "backbone.learning_to_downsample", context.channels, options.momentum),
        global_(*this, "backbone.global_feature_extractor", options.momentum),
        fusion_(*this, "backbone.feature_fusion", options.momentum),
        head_(main_head(nn::nest(*this, "decode_head"), options, context.classes())),
        of_global_(auxiliary_head(nn::nest(*this, "auxiliary_head.0"), kGlobalChannels, options, context.classes())),
        of_detail_(auxiliary_head(nn::nest(*this, "auxiliary_head.1"), kDetailChannels, options, context.classes())) {
    initialize();
  }

  sectile::ModelTraits traits() const { return {.least = {1, kReduction, kReduction}}; }

  // images: float [N, C, H, W] → logits: float [N, classes, H/8, W/8], rounded up
  sectile::Outputs forward(const at::Tensor& images) {
    const auto detail = downsample_.forward(images);
    const auto global = global_.forward(detail);
    sectile::Outputs outputs;
    outputs.logits = head_.forward(fusion_.forward(detail, global));
    if (!is_training()) return outputs;
    outputs.auxiliary.resize(2);
    outputs.auxiliary[0].logits = of_global_.forward(global);
    outputs.auxiliary[1].logits = of_detail_.forward(detail);
    return outputs;
  }

  std::vector<std::string> head() const override {
    return {"decode_head.conv_seg.", "auxiliary_head.0.conv_seg.", "auxiliary_head.1.conv_seg."};
  }
  std::vector<std::string> optional_layers() const override { return {"auxiliary_head."}; }
  std::vector<std::string> image_convs() const override { return {"backbone.learning_to_downsample.conv.conv.weight"}; }

 private:
  static MainHead main_head(torch::nn::Module& level, const FastScnnOptions& options, int classes) {
    std::vector<nn::DepthwiseSeparableConv> convs;
    for (const auto* path : {"convs.0", "convs.1"})
      convs.push_back(separable(level, path, kFusedChannels, kFusedChannels, 1, options.momentum));
    return {level, std::move(convs), kFusedChannels, classes, options.dropout};
  }

  static AuxiliaryHead auxiliary_head(torch::nn::Module& level, int in, const FastScnnOptions& options, int classes) {
    const nn::ConvNormAct conv(level, nn::conv_bn("convs.0"),
                               {.in_channels = in,
                                .out_channels = kAuxiliaryChannels,
                                .kernel_size = 3,
                                .padding = 1,
                                .momentum = options.momentum});
    return {level, {conv}, kAuxiliaryChannels, classes, options.dropout};
  }

  // As in mmsegmentation: He normal initialization with fan-out; classifiers start near zero.
  void initialize() {
    for (const auto& module : modules(/*include_self=*/false))
      if (const auto* conv = dynamic_cast<const nn::Conv*>(module.get()))
        torch::nn::init::kaiming_normal_(conv->weight, 0, torch::kFanOut, torch::kReLU);
    for (const auto* classifier : {&head_.classifier(), &of_global_.classifier(), &of_detail_.classifier()}) {
      torch::nn::init::normal_(classifier->weight, 0, 0.01);
      torch::nn::init::zeros_(classifier->bias);
    }
  }

  LearningToDownsample downsample_;
  GlobalFeatureExtractor global_;
  FeatureFusion fusion_;
  MainHead head_;
  AuxiliaryHead of_global_;
  AuxiliaryHead of_detail_;
};

}  // namespace

SECTILE_PLUGIN("1.0.0",
               sectile::model<FastScnn, FastScnnOptions>("fast_scnn",
                                                         "Fast-SCNN of Poudel et al. 2019, for real-time use."))
