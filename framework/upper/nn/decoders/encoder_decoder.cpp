#include <sectile/nn/decoders/encoder_decoder.h>

#include <algorithm>

#include <ATen/ops/upsample_bilinear2d.h>
#include <torch/nn/init.h>

#include <sectile/error.h>
#include <sectile/nn/names.h>

namespace sectile::nn {
namespace {

constexpr const char* kEncoder = "encoder";
constexpr const char* kDecoder = "decoder";
constexpr const char* kHead = "segmentation_head.0";

std::string listed_strides(const std::vector<FeatureLevel>& levels) {
  std::string text;
  for (const auto& level : levels) text += (text.empty() ? "" : ", ") + std::to_string(level.stride);
  return text;
}

void check_strides(const Ref<Backbone>& backbone, const std::vector<FeatureLevel>& found,
                   const FeatureRequest& request) {
  std::vector<FeatureLevel> expected;
  for (const int level : request.levels) {
    const int own = 2 << level;
    expected.push_back({0, request.output_stride > 0 ? std::min(own, request.output_stride) : own});
  }
  if (listed_strides(found) == listed_strides(expected)) return;
  throw OptionError("backbone", "\"" + backbone.type() + "\" gives features at strides " + listed_strides(found) +
                                    ", and the model needs " + listed_strides(expected) + ": choose another backbone");
}

}  // namespace

void EncoderOptions::declare(Options& options) {
  options.add("backbone", &backbone, "Network whose features are decoded. Its weights are set in its own options.");
  options
      .add(
          "depth", &depth,
          "Number of levels of the backbone that are used, at strides 2, 4, …: 5 goes down to 1/32 of the image. Fewer "
          "make a smaller and faster network that sees less context; deeper stages are not built.")
      .at_least(3)
      .at_most(5);
}

EncoderDecoder::EncoderDecoder(const Ref<Backbone>& backbone, const BuildContext& context, std::vector<int> levels,
                               int output_stride)
    : channels_{context.channels}, classes_(context.classes()) {
  const FeatureRequest request{.output_stride = output_stride, .levels = std::move(levels), .dilate_first_block = true};
  encoder_ = register_module(kEncoder, build_backbone(backbone, context, request));
  const auto found = encoder_->levels();
  check_strides(backbone, found, request);
  for (const auto& level : found) channels_.push_back(level.channels);
  stride_ = found.back().stride;
}
EncoderDecoder::~EncoderDecoder() = default;

std::vector<int> EncoderDecoder::all_levels(int depth) {
  std::vector<int> levels;
  for (int level = 0; level < depth; ++level) levels.push_back(level);
  return levels;
}

void EncoderDecoder::refuse_levels_without_channels(const Ref<Backbone>& backbone, std::size_t count) const {
  const auto levels = encoder_->levels();
  for (std::size_t i = levels.size() - std::min(count, levels.size()); i < levels.size(); ++i)
    if (levels[i].channels == 0)
      throw OptionError("backbone", "\"" + backbone.type() + "\" has no channels at stride " +
                                        std::to_string(levels[i].stride) +
                                        ", which this decoder needs: choose another backbone, or a decoder that does "
                                        "without, such as \"unet_encoder\"");
}

void EncoderDecoder::register_head(int in_channels, int kernel_size, int upsampling) {
  head_ = register_at(*this, kHead,
                      std::make_shared<Conv>(ConvOptions{.in_channels = in_channels,
                                                         .out_channels = classes_,
                                                         .kernel_size = kernel_size,
                                                         .padding = kernel_size / 2}));
  upsampling_ = upsampling;
}

void EncoderDecoder::initialize() {
  for (const auto& module : nest(*this, kDecoder).modules(/*include_self=*/false))
    if (const auto* conv = dynamic_cast<const Conv*>(module.get()); conv && !conv->options.transposed) {
      torch::nn::init::kaiming_uniform_(conv->weight, 0, torch::kFanIn, torch::kReLU);
      if (conv->bias.defined()) torch::nn::init::zeros_(conv->bias);
    }
  torch::nn::init::xavier_uniform_(head_->weight);
  torch::nn::init::zeros_(head_->bias);
}

at::Tensor EncoderDecoder::forward(const at::Tensor& images) {
  auto features = encoder_->features(images);
  features.insert(features.begin(), images);
  const auto logits = head_->forward(decode(features));
  if (upsampling_ == 1) return logits;
  return at::upsample_bilinear2d(logits, {logits.size(2) * upsampling_, logits.size(3) * upsampling_},
                                 /*align_corners=*/true);
}

ModelTraits EncoderDecoder::traits() const {
  ModelTraits traits;
  if (!takes_any_size()) traits.divisor = {1, stride_, stride_};
  return traits;
}

std::vector<std::string> EncoderDecoder::head() const { return {std::string(kHead) + "."}; }

// The original can be trained with a classifier of whole images beside it.
std::vector<std::string> EncoderDecoder::optional_layers() const { return {"classification_head."}; }

}  // namespace sectile::nn
