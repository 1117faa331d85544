#include <sectile/nn/transformer/vision_transformer.h>

#include <ATen/ops/cat.h>
#include <ATen/ops/constant_pad_nd.h>
#include <ATen/ops/zeros.h>
#include <torch/nn/init.h>

#include <sectile/error.h>
#include <sectile/nn/checkpoint.h>
#include <sectile/nn/names.h>
#include <sectile/nn/transformer/tokens.h>

namespace sectile::nn {
namespace {

constexpr int kClassTokens = 1;
constexpr int kExpansion = 4;  // of the perceptrons
constexpr double kTokenDeviation = 0.02;

at::Tensor register_tokens(torch::nn::Module& owner, const std::string& path, std::int64_t count, int channels) {
  const auto dot = path.rfind('.');
  auto& level = dot == std::string::npos ? owner : nest(owner, path.substr(0, dot));
  auto tokens = level.register_parameter(path.substr(dot + 1), at::zeros({1, count, channels}));
  torch::nn::init::normal_(tokens, 0, kTokenDeviation);
  return tokens;
}

void check_request(const FeatureRequest& request, int patch_size) {
  if (request.output_stride != 0 && request.output_stride != patch_size)
    throw OptionError("type", "has features at stride " + std::to_string(patch_size) + ", and the model asks for " +
                                  std::to_string(request.output_stride) + ": choose another backbone");
  for (const int level : request.levels)
    if (level != 0 && level != -1)
      throw OptionError("type", "has one level of features, at stride " + std::to_string(patch_size) +
                                    ", and the model asks for several: choose another backbone");
}

}  // namespace

void VisionTransformerOptions::declare(Options& options) {
  options
      .add("image_size", &image_size,
           "Side of the square images that the position embeddings are made for, in pixels. Images may have any size: "
           "the embeddings are resized to it, and so are those of a file. Set it to the size of training.")
      .at_least(1)
      .at_most(8192);
  options
      .add("interpolate", &interpolate,
           "How position embeddings are resized for images of another size: bicubic as in MMSegmentation and "
           "transformers' DINOv2, bicubic_antialias as in timm and transformers' DINOv2 with registers, or bilinear.")
      .one_of({"bicubic", "bicubic_antialias", "bilinear"});
  options.add("eps", &eps, "Added to the variance in layer norms. Weights need that of the network they are from.")
      .at_least(1e-12)
      .at_most(1);
  options
      .add("drop_path_rate", &drop_path_rate,
           "Stochastic depth in training: the probability that a branch of the last layer is skipped, which rises "
           "evenly from 0 at the first.")
      .at_least(0)
      .at_most(0.95);
  options.add("gradient_checkpointing", &gradient_checkpointing,
              "Computes each layer a second time for its gradients instead of keeping what they need: less memory, "
              "longer steps.");
}

VisionTransformer::VisionTransformer(const VisionTransformerShape& shape, const VisionTransformerNames& names,
                                     const VisionTransformerOptions& options, const BuildContext& context)
    : shape_(shape),
      names_(names),
      interpolate_(options.interpolate),
      gradient_checkpointing_(options.gradient_checkpointing) {
  check_request(context.features, shape.patch_size);
  if (options.image_size % shape.patch_size != 0)
    throw OptionError("image_size", "is " + std::to_string(options.image_size) + "; expected a multiple of " +
                                        std::to_string(shape.patch_size) + ", the side of a patch");
  const std::int64_t side = options.image_size / shape.patch_size;
  class_token_ = register_tokens(*this, names.class_token, kClassTokens, shape.channels);
  positions_ = register_tokens(*this, names.positions, kClassTokens + side * side, shape.channels);
  if (shape.registers > 0) registers_ = register_tokens(*this, names.registers, shape.registers, shape.channels);
  patches_ = register_at(*this, names.patches,
                         std::make_shared<Conv>(ConvOptions{.in_channels = context.channels,
                                                            .out_channels = shape.channels,
                                                            .kernel_size = shape.patch_size,
                                                            .stride = shape.patch_size,
                                                            .bias = shape.patch_bias}));
  for (int i = 0; i < shape.layers; ++i) {
    const double rate = shape.layers > 1 ? options.drop_path_rate * i / (shape.layers - 1) : options.drop_path_rate;
    const auto layer = names.layers + std::to_string(i);
    layers_.emplace_back(*this, names.layer(layer),
                         EncoderLayerOptions{.channels = shape.channels,
                                             .heads = shape.heads,
                                             .hidden_channels = kExpansion * shape.channels,
                                             .eps = options.eps,
                                             .drop_path_rate = rate,
                                             .layer_scale = shape.layer_scale});
    parameters_.push_back(nest(*this, layer).parameters());
  }
  norm_ = register_at(*this, names.norm, std::make_shared<LayerNorm>(shape.channels, options.eps));
  initialize_linear_layers(*this);
}
VisionTransformer::~VisionTransformer() = default;

at::Tensor VisionTransformer::embedded(const at::Tensor& map) const {
  const auto batch = map.size(0);
  const auto positions = resize_positions(positions_, kClassTokens, map.size(2), map.size(3), interpolate_);
  const auto own = positions.narrow(1, kClassTokens, positions.size(1) - kClassTokens);
  const auto patches = tokens_of(map) + own;
  const auto type = patches.scalar_type();
  const auto for_each_image = [&](const at::Tensor& token) { return token.to(type).expand({batch, -1, -1}); };
  std::vector<at::Tensor> all{for_each_image(class_token_ + positions.narrow(1, 0, kClassTokens))};
  if (registers_.defined()) all.push_back(for_each_image(registers_));
  all.push_back(patches);
  return at::cat(all, 1);
}

std::vector<at::Tensor> VisionTransformer::features(const at::Tensor& images) {
  const auto missing = [&](std::int64_t size) {
    return (shape_.patch_size - size % shape_.patch_size) % shape_.patch_size;
  };
  const auto bottom = missing(images.size(2)), right = missing(images.size(3));
  const auto whole = bottom + right > 0 ? at::constant_pad_nd(images, {0, right, 0, bottom}) : images;
  const auto map = patches_->forward(whole);
  auto tokens = embedded(map);
  for (std::size_t i = 0; i < layers_.size(); ++i) {
    const auto layer = [this, i](const at::Tensor& input) { return layers_[i].forward(input); };
    tokens = gradient_checkpointing_ && is_training() ? checkpoint(layer, tokens, parameters_[i]) : layer(tokens);
  }
  const auto others = kClassTokens + shape_.registers;
  const auto patches = norm_->forward(tokens.narrow(1, others, tokens.size(1) - others));
  return {map_of(patches, map.size(2), map.size(3))};
}

std::vector<FeatureLevel> VisionTransformer::levels() const { return {{shape_.channels, shape_.patch_size}}; }

std::vector<std::string> VisionTransformer::image_convs() const { return {names_.patches + ".weight"}; }

int VisionTransformer::depth(const std::string& parameter) const {
  if (parameter.starts_with(names_.norm + ".")) return static_cast<int>(layers_.size());
  if (!parameter.starts_with(names_.layers)) return 0;
  return 1 + std::stoi(parameter.substr(names_.layers.size()));
}

bool VisionTransformer::decays(const std::string& parameter) const {
  return parameter != names_.class_token && parameter != names_.positions && parameter != names_.registers;
}

at::Tensor VisionTransformer::adapt(const std::string& name, const at::Tensor& tensor, at::IntArrayRef wanted) const {
  if (name != names_.positions || tensor.dim() != 3 || tensor.size(0) != 1 || tensor.size(2) != wanted[2]) return {};
  if (tensor.size(1) <= kClassTokens || side_of_square(tensor.size(1) - kClassTokens) == 0) return {};
  if (!tensor.is_floating_point()) return {};
  const auto side = side_of_square(wanted[1] - kClassTokens);
  return resize_positions(tensor, kClassTokens, side, side, interpolate_);
}

}  // namespace sectile::nn
