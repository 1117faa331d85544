// Mix transformers, the encoders of SegFormer (Xie et al. 2021, arXiv:2105.15203), with the values of transformers'
// SegformerModel and the names of its files. Files of segmentation_models_pytorch, which are those of the original
// code, and the names of transformers' version 5 load as well.
//
// Output strides of 8 and 16 dilate the last stages. The levels begin at stride 4. For decoders that expect a level at
// stride 2, there is one without channels, as in segmentation_models_pytorch.
#include <algorithm>
#include <array>
#include <cmath>
#include <numeric>

#include <ATen/ops/constant_pad_nd.h>
#include <ATen/ops/empty.h>
#include <torch/nn/init.h>

#include <sectile/backbone.h>
#include <sectile/context.h>
#include <sectile/nn/activation.h>
#include <sectile/nn/checkpoint.h>
#include <sectile/nn/conv.h>
#include <sectile/nn/names.h>
#include <sectile/nn/stochastic_depth.h>
#include <sectile/nn/transformer/encoder_layer.h>
#include <sectile/nn/transformer/tokens.h>
#include <sectile/roles.h>

#include "names.h"

namespace {

namespace nn = sectile::nn;

constexpr std::size_t kStages = 4;
constexpr std::array<int, kStages> kHeads = {1, 2, 5, 8};
constexpr std::array<int, kStages> kReductions = {8, 4, 2, 1};  // of the map whose pixels are keys and values
constexpr int kExpansion = 4;                                   // of the perceptrons
constexpr double kOriginalEps = 1e-6;                           // of the paper's code
constexpr double kEps = 1e-5;                                   // of the norms behind patches and reductions

struct Variant {
  std::array<int, kStages> blocks;
  int first_channels = 64;

  constexpr int channels(std::size_t stage) const { return first_channels * kHeads[stage]; }
};

struct MitOptions {
  double eps = 1e-5;
  double drop_path_rate = 0.1;
  bool gradient_checkpointing = false;

  void declare(sectile::Options& options) {
    options
        .add("eps", &eps,
             "Added to the variance in the layer norms of blocks and stages: 1e-5 as in transformers, whatever its "
             "configuration says; weights of segmentation_models_pytorch need 1e-6.")
        .at_least(1e-12)
        .at_most(1);
    options
        .add("drop_path_rate", &drop_path_rate,
             "Stochastic depth in training: the probability that a branch of the last block is skipped, which rises "
             "evenly from 0 at the first.")
        .at_least(0)
        .at_most(0.95);
    options.add("gradient_checkpointing", &gradient_checkpointing,
                "Computes each stage a second time for its gradients instead of keeping what they need: less memory, "
                "longer steps.");
  }
};

struct SpatialConv {
  int channels;
  int out_channels;
  int kernel;
  int stride = 1;
  int padding = 0;
  int dilation = 1;
  int groups = 1;
  nn::Activation activation = nn::Activation::none;
};

// Where a stage is dilated, each of its convolutions is, as in segmentation_models_pytorch, also one that reduces.
std::shared_ptr<nn::Conv> spatial_conv(const SpatialConv& conv) {
  const bool dilated = conv.dilation > 1;
  return std::make_shared<nn::Conv>(nn::ConvOptions{.in_channels = conv.channels,
                                                    .out_channels = conv.out_channels,
                                                    .kernel_size = conv.kernel,
                                                    .stride = dilated ? 1 : conv.stride,
                                                    .padding = dilated ? conv.kernel / 2 * conv.dilation : conv.padding,
                                                    .dilation = conv.dilation,
                                                    .groups = conv.groups,
                                                    .activation = conv.activation});
}

struct BlockOptions {
  int channels;
  int heads;
  int reduction;
  int dilation;
  double eps;
  double drop_path_rate;
};

// Attention to a reduced map, and a perceptron with a depthwise convolution, which tells positions apart.
class Block final {
 public:
  Block(torch::nn::Module& owner, const std::string& path, const BlockOptions& options)
      : owner_(&owner), options_(options) {
    const int channels = options.channels, hidden = kExpansion * channels;
    const auto add = [&](const std::string& name, auto layer) {
      return nn::register_at(owner, name, std::move(layer));
    };
    norm1_ = add(path + ".layer_norm_1", std::make_shared<nn::LayerNorm>(channels, options.eps));
    const auto self = path + ".attention.self";
    query_ = add(self + ".query", std::make_shared<nn::Linear>(channels, channels));
    key_ = add(self + ".key", std::make_shared<nn::Linear>(channels, channels));
    value_ = add(self + ".value", std::make_shared<nn::Linear>(channels, channels));
    if (options.reduction > 1) {
      reduce_ = add(self + ".sr", spatial_conv({.channels = channels,
                                                .out_channels = channels,
                                                .kernel = options.reduction,
                                                .stride = options.reduction,
                                                .dilation = options.dilation}));
      reduced_norm_ = add(self + ".layer_norm", std::make_shared<nn::LayerNorm>(channels, kEps));
    }
    out_ = add(path + ".attention.output.dense", std::make_shared<nn::Linear>(channels, channels));
    norm2_ = add(path + ".layer_norm_2", std::make_shared<nn::LayerNorm>(channels, options.eps));
    first_ = add(path + ".mlp.dense1", std::make_shared<nn::Linear>(channels, hidden));
    depthwise_ = add(path + ".mlp.dwconv.dwconv", spatial_conv({.channels = hidden,
                                                                .out_channels = hidden,
                                                                .kernel = 3,
                                                                .padding = 1,
                                                                .dilation = options.dilation,
                                                                .groups = hidden,
                                                                .activation = nn::Activation::gelu}));
    second_ = add(path + ".mlp.dense2", std::make_shared<nn::Linear>(hidden, channels));
  }

  at::Tensor forward(const at::Tensor& tokens, std::int64_t rows, std::int64_t columns) const {
    const auto x = tokens + kept(attended(norm1_->forward(tokens), rows, columns));
    const auto hidden = nn::map_of(first_->forward(norm2_->forward(x)), rows, columns);
    return x + kept(second_->forward(nn::tokens_of(depthwise_->forward(hidden))));
  }

 private:
  at::Tensor kept(const at::Tensor& branch) const {
    return nn::stochastic_depth(branch, options_.drop_path_rate, owner_->is_training());
  }
  at::Tensor attended(const at::Tensor& tokens, std::int64_t rows, std::int64_t columns) const {
    const auto source = reduce_ ? reduced(nn::map_of(tokens, rows, columns)) : tokens;
    return out_->forward(
        nn::attention(query_->forward(tokens), key_->forward(source), value_->forward(source), options_.heads));
  }
  // A map that is smaller than one step of the reduction, which the original refuses, is padded to one.
  at::Tensor reduced(const at::Tensor& map) const {
    const auto missing = [&](int axis) { return std::max<std::int64_t>(0, options_.reduction - map.size(axis)); };
    const bool small = missing(2) + missing(3) > 0;
    const auto whole = small ? at::constant_pad_nd(map, {0, missing(3), 0, missing(2)}) : map;
    return reduced_norm_->forward(nn::tokens_of(reduce_->forward(whole)));
  }

  const torch::nn::Module* owner_;  // contains the layers
  BlockOptions options_;
  std::shared_ptr<nn::LayerNorm> norm1_, norm2_, reduced_norm_;
  std::shared_ptr<nn::Linear> query_, key_, value_, out_, first_, second_;
  std::shared_ptr<nn::Conv> reduce_, depthwise_;
};

struct Stage {
  std::shared_ptr<nn::Conv> patches;
  std::shared_ptr<nn::LayerNorm> patches_norm;
  std::vector<Block> blocks;
  std::shared_ptr<nn::LayerNorm> norm;
  std::vector<at::Tensor> parameters;

  at::Tensor forward(const at::Tensor& input) const {
    const auto map = patches->forward(input);
    const auto rows = map.size(2), columns = map.size(3);
    auto tokens = patches_norm->forward(nn::tokens_of(map));
    for (const auto& block : blocks) tokens = block.forward(tokens, rows, columns);
    return nn::map_of(norm->forward(tokens), rows, columns);
  }
};

class Mit : public sectile::Backbone, public sectile::WeightRules {
 public:
  Mit(const Variant& variant, const MitOptions& options, const sectile::BuildContext& context)
      : variant_(variant),
        request_(context.features),
        image_channels_(context.channels),
        eps_(options.eps),
        gradient_checkpointing_(options.gradient_checkpointing) {
    const int wanted = request_.output_stride;
    if (wanted != 0 && wanted != 8 && wanted != 16 && wanted != 32)
      throw sectile::OptionError("type", "has output strides 8, 16 and 32, and the model asks for " +
                                             std::to_string(wanted) + ": choose another backbone");
    for (std::size_t i = 0; i < needed(); ++i) add_stage(i, options);
    initialize();
  }

  std::vector<at::Tensor> features(const at::Tensor& images) override {
    std::vector<at::Tensor> all(kStages + 1);
    const auto half = [&](int axis) { return std::max<std::int64_t>(1, images.size(axis) / 2); };
    all[0] = at::empty({images.size(0), 0, half(2), half(3)}, images.options());
    auto x = images;
    for (std::size_t i = 0; i < stages_.size(); ++i) {
      const auto stage = [this, i](const at::Tensor& input) { return stages_[i].forward(input); };
      x = gradient_checkpointing_ && is_training() ? nn::checkpoint(stage, x, stages_[i].parameters) : stage(x);
      all[i + 1] = x;
    }
    return request_.pick(std::move(all));
  }

  std::vector<sectile::FeatureLevel> levels() const override {
    std::vector<sectile::FeatureLevel> all{{0, 2}};
    for (std::size_t i = 0; i < kStages; ++i) all.push_back({variant_.channels(i), (4 << i) / dilation(i)});
    return request_.pick(std::move(all));
  }

  std::vector<sectile::Dialect> dialects() const override {
    // Said where it can be noticed, since such weights give almost the right numbers with another one.
    const auto original =
        eps_ == kOriginalEps ? "segmentation_models_pytorch" : "segmentation_models_pytorch, which needs the eps 1e-6";
    return {{"transformers 5", mit::from_transformers_5}, {original, mit::from_original}};
  }
  std::vector<std::string> image_convs() const override { return {"encoder.patch_embeddings.0.proj.weight"}; }
  std::vector<std::string> optional_layers() const override {
    std::vector<std::string> layers{"head.", "classifier."};  // of whole images
    for (std::size_t i = stages_.size(); i < kStages; ++i)
      for (const auto& prefix : prefixes(i)) layers.push_back(prefix);
    return layers;
  }
  int depth(const std::string& parameter) const override {
    for (std::size_t i = 0; i < kStages; ++i)
      for (const auto& prefix : prefixes(i))
        if (parameter.starts_with(prefix)) return static_cast<int>(i);
    return -1;
  }

 private:
  static std::vector<std::string> prefixes(std::size_t stage) {
    const auto end = std::to_string(stage) + ".";
    return {"encoder.patch_embeddings." + end, "encoder.block." + end, "encoder.layer_norm." + end};
  }

  std::size_t needed() const {
    std::size_t stages = 0;
    if (request_.levels.empty()) return kStages;
    for (const int level : request_.levels)
      stages = std::max(stages, sectile::FeatureRequest::index(level, kStages + 1));
    return stages;
  }

  int dilation(std::size_t stage) const {
    const int own = 4 << stage;
    return request_.output_stride > 0 ? std::max(1, own / request_.output_stride) : 1;
  }

  void add_stage(std::size_t i, const MitOptions& options) {
    Stage stage;
    const auto number = std::to_string(i);
    const int channels = variant_.channels(i), kernel = i == 0 ? 7 : 3;
    stage.patches = nn::register_at(*this, "encoder.patch_embeddings." + number + ".proj",
                                    spatial_conv({.channels = i == 0 ? image_channels_ : variant_.channels(i - 1),
                                                  .out_channels = channels,
                                                  .kernel = kernel,
                                                  .stride = i == 0 ? 4 : 2,
                                                  .padding = kernel / 2,
                                                  .dilation = dilation(i)}));
    stage.patches_norm = nn::register_at(*this, "encoder.patch_embeddings." + number + ".layer_norm",
                                         std::make_shared<nn::LayerNorm>(channels, kEps));
    const auto& blocks = variant_.blocks;
    const int before = std::accumulate(blocks.begin(), blocks.begin() + static_cast<std::ptrdiff_t>(i), 0);
    const int count = std::accumulate(blocks.begin(), blocks.end(), 0);
    for (int block = 0; block < blocks[i]; ++block)
      stage.blocks.emplace_back(
          *this, "encoder.block." + number + "." + std::to_string(block),
          BlockOptions{.channels = channels,
                       .heads = kHeads[i],
                       .reduction = kReductions[i],
                       .dilation = dilation(i),
                       .eps = options.eps,
                       .drop_path_rate = options.drop_path_rate * (before + block) / (count - 1)});
    stage.norm =
        nn::register_at(*this, "encoder.layer_norm." + number, std::make_shared<nn::LayerNorm>(channels, options.eps));
    for (const auto& item : named_parameters())
      if (depth(item.key()) == static_cast<int>(i)) stage.parameters.push_back(item.value());
    stages_.push_back(std::move(stage));
  }

  // As in the paper's code and MMSegmentation: convolutions He normal with the fan-out of a group.
  void initialize() {
    nn::initialize_linear_layers(*this);
    for (const auto& module : modules(/*include_self=*/false)) {
      const auto* conv = dynamic_cast<const nn::Conv*>(module.get());
      if (!conv) continue;
      const auto fan_out = conv->weight.numel() / conv->weight.size(1) / conv->options.groups;
      torch::nn::init::normal_(conv->weight, 0, std::sqrt(2.0 / static_cast<double>(fan_out)));
      torch::nn::init::zeros_(conv->bias);
    }
  }

  const Variant variant_;
  const sectile::FeatureRequest request_;
  const int image_channels_;
  const double eps_;
  const bool gradient_checkpointing_;
  std::vector<Stage> stages_;
};

template <Variant kVariant>
struct Named final : Mit {
  Named(const MitOptions& options, const sectile::BuildContext& context) : Mit(kVariant, options, context) {}
};

template <Variant kVariant>
constexpr sectile::Component named(const char* name, const char* summary) {
  return sectile::backbone<Named<kVariant>, MitOptions>(name, summary);
}

}  // namespace

SECTILE_PLUGIN("1.0.0",
               named<Variant{{2, 2, 2, 2}, 32}>("mit_b0",
                                                "Mix transformer b0 of Xie et al. 2021, SegFormer's smallest."),
               named<Variant{{2, 2, 2, 2}}>("mit_b1", "Mix transformer b1 of Xie et al. 2021: 8 blocks."),
               named<Variant{{3, 4, 6, 3}}>("mit_b2", "Mix transformer b2 of Xie et al. 2021: 16 blocks."),
               named<Variant{{3, 4, 18, 3}}>("mit_b3", "Mix transformer b3 of Xie et al. 2021: 28 blocks."),
               named<Variant{{3, 8, 27, 3}}>("mit_b4", "Mix transformer b4 of Xie et al. 2021: 41 blocks."),
               named<Variant{{3, 6, 40, 3}}>("mit_b5", "Mix transformer b5 of Xie et al. 2021: 52 blocks."))
