// Fast-SCNN (Poudel, Liwicki and Cipolla 2019, arXiv:1902.04502), with the two auxiliary heads, parameter names and
// initialisation of mmsegmentation's fast_scnn configuration, whose weights load as they are.
//
// Logits leave at an eighth of the picture's size. The auxiliary ones (a thirty-second of the size for the global
// features, an eighth for the detail) exist in training mode only: evaluation does not pay for them.
#include <ATen/ops/feature_dropout.h>
#include <torch/nn/init.h>

#include <sectile/model.h>
#include <sectile/nn/depthwise_separable_conv.h>
#include <sectile/nn/inverted_residual.h>
#include <sectile/nn/pyramid_pooling.h>
#include <sectile/nn/resize.h>

namespace {

using sectile::nn::Activation;
using sectile::nn::ConvNormAct;
using sectile::nn::ConvNormActOptions;
using sectile::nn::DepthwiseSeparableConv;
using sectile::nn::DepthwiseSeparableConvOptions;
using sectile::nn::InvertedResidual;
using sectile::nn::PyramidPooling;

constexpr int kDetailChannels = 64;   // of the learned down-sampling, at 1/8
constexpr int kGlobalChannels = 128;  // of the global features, at 1/32
constexpr int kFusedChannels = 128;
constexpr int kAuxiliaryChannels = 32;
constexpr int kLeastSize = 32;

struct FastScnnOptions {
  double dropout = 0.1;
  double momentum = 0.1;

  void declare(sectile::Options& options) {
    options.add("dropout", &dropout, "Share of a head's channels zeroed before its classifier, in training only.")
        .at_least(0)
        .at_most(0.99);
    options
        .add("momentum", &momentum,
             "How fast the batch norms' running statistics follow the batches; mmsegmentation's long schedules use "
             "0.01.")
        .at_least(0)
        .at_most(1);
  }
};

// A level of names only, where the original has a module around others.
torch::nn::Module& nest(torch::nn::Module& parent, const std::string& name) {
  return *parent.register_module(name, std::make_shared<torch::nn::Module>("Nest"));
}

// float [N, C, H, W] → [N, 64, H/8, W/8]
class LearningToDownsample final : public torch::nn::Module {
 public:
  LearningToDownsample(int channels, double momentum)
      : conv_(register_module("conv", std::make_shared<ConvNormAct>(ConvNormActOptions{.in_channels = channels,
                                                                                       .out_channels = 32,
                                                                                       .kernel_size = 3,
                                                                                       .stride = 2,
                                                                                       .padding = 1,
                                                                                       .momentum = momentum}))),
        first_(separable("dsconv1", 32, 48, momentum)),
        second_(separable("dsconv2", 48, kDetailChannels, momentum)) {}

  at::Tensor forward(const at::Tensor& images) { return second_->forward(first_->forward(conv_->forward(images))); }

 private:
  std::shared_ptr<DepthwiseSeparableConv> separable(const char* name, int in, int out, double momentum) {
    return register_module(name, std::make_shared<DepthwiseSeparableConv>(
                                     DepthwiseSeparableConvOptions{.in_channels = in,
                                                                   .out_channels = out,
                                                                   .stride = 2,
                                                                   .depthwise_activation = Activation::none,
                                                                   .momentum = momentum}));
  }

  std::shared_ptr<ConvNormAct> conv_;
  std::shared_ptr<DepthwiseSeparableConv> first_;
  std::shared_ptr<DepthwiseSeparableConv> second_;
};

// float [N, 64, H/8, W/8] → [N, 128, H/32, W/32]
class GlobalFeatureExtractor final : public torch::nn::Module {
 public:
  explicit GlobalFeatureExtractor(double momentum) {
    constexpr int kBlocks = 3;  // in each bottleneck; the first of them strides
    int in = kDetailChannels, number = 0;
    for (const auto& [out, stride] : {std::pair(64, 2), std::pair(96, 2), std::pair(kGlobalChannels, 1)}) {
      auto& bottleneck = nest(*this, "bottleneck" + std::to_string(++number));
      for (int i = 0; i < kBlocks; ++i) {
        blocks_.push_back(bottleneck.register_module(
            std::to_string(i),
            std::make_shared<InvertedResidual>(sectile::nn::InvertedResidualOptions{
                .in_channels = in, .out_channels = out, .stride = i == 0 ? stride : 1, .momentum = momentum})));
        in = out;
      }
    }
    pooling_ = register_module("ppm", std::make_shared<PyramidPooling>(sectile::nn::PyramidPoolingOptions{
                                          .in_channels = in, .channels = in / 4, .momentum = momentum}));
    out_ = register_module("out", std::make_shared<ConvNormAct>(ConvNormActOptions{.in_channels = 2 * in,
                                                                                   .out_channels = kGlobalChannels,
                                                                                   .kernel_size = 3,
                                                                                   .padding = 1,
                                                                                   .momentum = momentum}));
  }

  at::Tensor forward(const at::Tensor& detail) {
    auto x = detail;
    for (const auto& block : blocks_) x = block->forward(x);
    return out_->forward(pooling_->forward(x));
  }

 private:
  std::vector<std::shared_ptr<InvertedResidual>> blocks_;
  std::shared_ptr<PyramidPooling> pooling_;
  std::shared_ptr<ConvNormAct> out_;
};

// detail [N, 64, H/8, W/8] and global features [N, 128, H/32, W/32] → [N, 128, H/8, W/8]
class FeatureFusion final : public torch::nn::Module {
 public:
  explicit FeatureFusion(double momentum)
      : filter_(
            register_module("dwconv", std::make_shared<ConvNormAct>(ConvNormActOptions{.in_channels = kGlobalChannels,
                                                                                       .out_channels = kFusedChannels,
                                                                                       .kernel_size = 3,
                                                                                       .padding = 1,
                                                                                       .groups = kFusedChannels,
                                                                                       .momentum = momentum}))),
        lower_(projection("conv_lower_res", kFusedChannels, momentum)),
        higher_(projection("conv_higher_res", kDetailChannels, momentum)) {}

  at::Tensor forward(const at::Tensor& detail, const at::Tensor& global) {
    const auto lower = lower_->forward(filter_->forward(sectile::nn::resize_like(global, detail)));
    return (higher_->forward(detail) + lower).relu_();
  }

 private:
  std::shared_ptr<ConvNormAct> projection(const char* name, int in, double momentum) {
    return register_module(name, std::make_shared<ConvNormAct>(ConvNormActOptions{.in_channels = in,
                                                                                  .out_channels = kFusedChannels,
                                                                                  .kernel_size = 1,
                                                                                  .activation = Activation::none,
                                                                                  .momentum = momentum}));
  }

  std::shared_ptr<ConvNormAct> filter_;
  std::shared_ptr<ConvNormAct> lower_;
  std::shared_ptr<ConvNormAct> higher_;
};

// Convolutions, dropout of whole channels, and a classifier of each pixel.
template <class Conv>
class Head final : public torch::nn::Module {
 public:
  Head(std::vector<std::shared_ptr<Conv>> convs, int channels, int classes, double dropout)
      : classifier_(register_module("conv_seg", torch::nn::Conv2d(channels, classes, 1))),
        convs_(std::move(convs)),
        dropout_(dropout) {
    auto& sequence = nest(*this, "convs");
    for (std::size_t i = 0; i < convs_.size(); ++i) sequence.register_module(std::to_string(i), convs_[i]);
  }

  at::Tensor forward(const at::Tensor& features) {
    auto x = features;
    for (const auto& conv : convs_) x = conv->forward(x);
    return classifier_->forward(at::feature_dropout(x, dropout_, is_training()));
  }
  torch::nn::Conv2dImpl& classifier() { return *classifier_; }

 private:
  torch::nn::Conv2d classifier_;
  std::vector<std::shared_ptr<Conv>> convs_;
  double dropout_;
};
using MainHead = Head<DepthwiseSeparableConv>;
using AuxiliaryHead = Head<ConvNormAct>;

class FastScnn : public torch::nn::Module, public sectile::WeightRules {
 public:
  FastScnn(const FastScnnOptions& options, const sectile::BuildContext& context) {
    if (context.dimensions != 2)
      throw sectile::PluginError("fast_scnn",
                                 "works on pictures, and the data has volumes: choose a model for volumes");
    auto& backbone = nest(*this, "backbone");
    downsample_ = backbone.register_module("learning_to_downsample",
                                           std::make_shared<LearningToDownsample>(context.channels, options.momentum));
    global_ = backbone.register_module("global_feature_extractor",
                                       std::make_shared<GlobalFeatureExtractor>(options.momentum));
    fusion_ = backbone.register_module("feature_fusion", std::make_shared<FeatureFusion>(options.momentum));
    head_ = register_module("decode_head", main_head(options, context.classes()));
    auto& auxiliary = nest(*this, "auxiliary_head");
    of_global_ = auxiliary.register_module("0", auxiliary_head(kGlobalChannels, options, context.classes()));
    of_detail_ = auxiliary.register_module("1", auxiliary_head(kDetailChannels, options, context.classes()));
    initialize();
  }

  // images: float [N, C, H, W] → logits: float [N, classes, H/8, W/8], rounded up
  sectile::Outputs forward(const at::Tensor& images) {
    require_size(images);
    const auto detail = downsample_->forward(images);
    const auto global = global_->forward(detail);
    sectile::Outputs outputs;
    outputs.logits = head_->forward(fusion_->forward(detail, global));
    if (!is_training()) return outputs;
    outputs.auxiliary.resize(2);
    outputs.auxiliary[0].logits = of_global_->forward(global);
    outputs.auxiliary[1].logits = of_detail_->forward(detail);
    return outputs;
  }

  std::vector<std::string> head() const override {
    return {"decode_head.conv_seg.", "auxiliary_head.0.conv_seg.", "auxiliary_head.1.conv_seg."};
  }
  at::Tensor adapt(const std::string& name, const at::Tensor& tensor, at::IntArrayRef wanted) const override {
    return name == "backbone.learning_to_downsample.conv.conv.weight" ? sectile::adapt_input_channels(tensor, wanted[1])
                                                                      : at::Tensor();
  }

 private:
  static std::shared_ptr<MainHead> main_head(const FastScnnOptions& options, int classes) {
    std::vector<std::shared_ptr<DepthwiseSeparableConv>> convs;
    for (int i = 0; i < 2; ++i)
      convs.push_back(std::make_shared<DepthwiseSeparableConv>(
          DepthwiseSeparableConvOptions{.in_channels = kFusedChannels,
                                        .out_channels = kFusedChannels,
                                        .depthwise_activation = Activation::none,
                                        .momentum = options.momentum}));
    return std::make_shared<MainHead>(std::move(convs), kFusedChannels, classes, options.dropout);
  }

  static std::shared_ptr<AuxiliaryHead> auxiliary_head(int in, const FastScnnOptions& options, int classes) {
    std::vector<std::shared_ptr<ConvNormAct>> convs{
        std::make_shared<ConvNormAct>(ConvNormActOptions{.in_channels = in,
                                                         .out_channels = kAuxiliaryChannels,
                                                         .kernel_size = 3,
                                                         .padding = 1,
                                                         .momentum = options.momentum})};
    return std::make_shared<AuxiliaryHead>(std::move(convs), kAuxiliaryChannels, classes, options.dropout);
  }

  // As mmsegmentation does: He's normal distribution over outgoing connections; classifiers start near zero.
  void initialize() {
    for (const auto& module : modules(/*include_self=*/false))
      if (auto* conv = module->as<torch::nn::Conv2d>())
        torch::nn::init::kaiming_normal_(conv->weight, 0, torch::kFanOut, torch::kReLU);
    for (auto* classifier : {&head_->classifier(), &of_global_->classifier(), &of_detail_->classifier()}) {
      torch::nn::init::normal_(classifier->weight, 0, 0.01);
      torch::nn::init::zeros_(classifier->bias);
    }
  }

  static void require_size(const at::Tensor& images) {
    if (images.size(2) >= kLeastSize && images.size(3) >= kLeastSize) return;
    throw sectile::DataError("fast_scnn", "pictures of " + std::to_string(images.size(2)) + " x " +
                                              std::to_string(images.size(3)) +
                                              " pixels vanish in its 32-fold reduction; give at least 32 x 32");
  }

  std::shared_ptr<LearningToDownsample> downsample_;
  std::shared_ptr<GlobalFeatureExtractor> global_;
  std::shared_ptr<FeatureFusion> fusion_;
  std::shared_ptr<MainHead> head_;
  std::shared_ptr<AuxiliaryHead> of_global_;
  std::shared_ptr<AuxiliaryHead> of_detail_;
};

}  // namespace

SECTILE_PLUGIN("1.0.0",
               sectile::model<FastScnn, FastScnnOptions>("fast_scnn",
                                                         "Fast-SCNN of Poudel et al. 2019, for real-time use."))
