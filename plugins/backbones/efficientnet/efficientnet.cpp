// EfficientNet B0 to B7 (Tan and Le 2019, arXiv:1905.11946), equal to segmentation_models_pytorch's
// EfficientNetEncoder, which is lukemelas/EfficientNet-PyTorch: its names, levels, initialization, dilation and rule of
// stochastic depth. Weights of both load without conversion. With preset torchvision it equals
// torchvision.models.efficientnet_b0 to b7 at output stride 32, whose weights get these names when they are loaded.
//
// As in TensorFlow, zeros are padded so that the output has 1/stride of the size, more of them at the bottom and right.
// How many is fixed per layer by the size of the images that the variant was designed for, so that small images do not
// fill the kernels of deep layers, in the original too. torchvision pads alike at both ends.
#include <algorithm>
#include <array>
#include <cmath>
#include <stdexcept>

#include <sectile/nn/backbone_options.h>
#include <sectile/nn/inverted_residual.h>
#include <sectile/nn/staged_backbone.h>

namespace {

namespace nn = sectile::nn;

constexpr int kLevels = 5;

struct Variant {
  double width;
  double depth;
  int image_size;
  std::array<int, 3> level_ends;  // the last block of levels 1, 2 and 3
};
constexpr Variant kVariants[] = {{1.0, 1.0, 224, {2, 4, 8}},   {1.0, 1.1, 240, {4, 7, 15}},
                                 {1.1, 1.2, 260, {4, 7, 15}},  {1.2, 1.4, 300, {4, 7, 17}},
                                 {1.4, 1.8, 380, {5, 9, 21}},  {1.6, 2.2, 456, {7, 12, 26}},
                                 {1.8, 2.6, 528, {8, 14, 30}}, {2.0, 3.1, 600, {10, 17, 37}}};

struct EfficientNetOptions : nn::BackboneOptions {
  EfficientNetOptions() : nn::BackboneOptions(1e-3, 0.01) { drop_path_rate = 0.2; }

  std::string preset = "smp";
  bool is_torchvision() const { return preset == "torchvision"; }

  void declare(sectile::Options& options) {
    options
        .add("preset", &preset,
             "Whose weights fit: those of segmentation_models_pytorch (smp), which are also lukemelas's, with more "
             "padding at the bottom and right, as in TensorFlow; or those of torchvision, with padding alike at both "
             "ends. torchvision's B0 to B4 also need eps 1e-5 and momentum 0.1.")
        .one_of({"smp", "torchvision"});
    nn::BackboneOptions::declare(options,
                                 "Stochastic depth in training: block i of n, counted from 0, is skipped with the "
                                 "probability drop_path_rate * i / n, as in the original. 0: none.");
  }
};

// Blocks of equal channels, of B0; only the first one has a stride.
struct Group {
  int blocks;
  int kernel_size;
  int stride;
  int expand_ratio;
  int channels;
};
constexpr Group kGroups[] = {{1, 3, 1, 1, 16},  {2, 3, 2, 6, 24},  {2, 5, 2, 6, 40}, {3, 3, 2, 6, 80},
                             {3, 5, 1, 6, 112}, {4, 5, 2, 6, 192}, {1, 3, 1, 6, 320}};

// The nearest multiple of 8, but never more than 10 % less.
int rounded(double channels) {
  const int nearest = std::max(8, static_cast<int>(channels + 4) / 8 * 8);
  return nearest < 0.9 * channels ? nearest + 8 : nearest;
}

int divided_up(int size, int stride) { return (size + stride - 1) / stride; }

struct Padding {
  int before;  // at both ends
  int end;     // more at the bottom and right
};

// So that the output has divided_up(size, stride), of a map of this size; torchvision: of any odd size.
Padding same_padding(int size, int kernel_size, int stride, bool is_torchvision) {
  if (is_torchvision) return {kernel_size / 2, 0};
  const int all = std::max(0, (divided_up(size, stride) - 1) * stride + kernel_size - size);
  return {all / 2, all % 2};
}

class EfficientNet : public nn::StagedBackbone {
 public:
  EfficientNet(const Variant& variant, const EfficientNetOptions& options, const sectile::BuildContext& context)
      : StagedBackbone(context.features, kLevels, options.gradient_checkpointing),
        options_(options),
        variant_(variant),
        size_(variant.image_size) {
    int in = rounded(32 * variant.width), index = 0;
    add_stem(context.channels, in);
    end_stage(in);
    for (const auto& group : kGroups)
      for (int i = 0; i < repeats(group); ++i, ++index) {
        const int out = rounded(group.channels * variant.width);
        add_block(index, in, out, group, i == 0 ? group.stride : 1);
        in = out;
        if (std::count(variant.level_ends.begin(), variant.level_ends.end(), index) > 0) end_stage(out);
      }
    end_stage(in);
    if (options.is_torchvision()) initialize_convs();
  }

  std::vector<at::Tensor> features(const at::Tensor& images) override {
    if (images.size(2) < least_ || images.size(3) < least_)
      throw std::invalid_argument(  // to which the host adds the names of model and images
          "images have at least " + std::to_string(least_) + " x " + std::to_string(least_) +
          " pixels for this EfficientNet, and these have " + std::to_string(images.size(2)) + " x " +
          std::to_string(images.size(3)) + ": enlarge them, or choose another backbone");
    return StagedBackbone::features(images);
  }

  std::vector<std::string> image_convs() const override { return {"_conv_stem.weight"}; }
  std::vector<sectile::Dialect> dialects() const override {
    if (!options_.is_torchvision()) return {};
    return {{"torchvision's classification", [this](sectile::NamedTensors& file) { from_torchvision(file); }}};
  }
  // Files hold the layers of classification.
  std::vector<std::string> optional_layers() const override {
    auto all = StagedBackbone::optional_layers();
    all.insert(all.end(), {"_conv_head.", "_bn1.", "_fc."});
    return all;
  }

 private:
  void from_torchvision(sectile::NamedTensors& file) const {
    const auto conv_and_norm = [&](const std::string& from, const std::string& conv, const std::string& norm) {
      file.rename(from + ".0.*", conv + ".*");
      file.rename(from + ".1.*", norm + ".*");
    };
    conv_and_norm("features.0", "_conv_stem", "_bn0");
    int block = 0, stage = 1;
    for (const auto& group : kGroups) {
      for (int i = 0; i < repeats(group); ++i, ++block) {
        const auto from = "features." + std::to_string(stage) + "." + std::to_string(i) + ".block.";
        const auto to = "_blocks." + std::to_string(block) + ".";
        int next = 0;
        if (group.expand_ratio > 1) conv_and_norm(from + std::to_string(next++), to + "_expand_conv", to + "_bn0");
        conv_and_norm(from + std::to_string(next++), to + "_depthwise_conv", to + "_bn1");
        file.rename(from + std::to_string(next) + ".fc1.*", to + "_se_reduce.*");
        file.rename(from + std::to_string(next++) + ".fc2.*", to + "_se_expand.*");
        conv_and_norm(from + std::to_string(next), to + "_project_conv", to + "_bn2");
      }
      ++stage;
    }
    conv_and_norm("features." + std::to_string(stage), "_conv_head", "_bn1");
    file.rename("classifier.1.*", "_fc.*");
  }

  int repeats(const Group& group) const { return static_cast<int>(std::ceil(variant_.depth * group.blocks)); }
  int blocks() const {
    int sum = 0;
    for (const auto& group : kGroups) sum += repeats(group);
    return sum;
  }

  // A layer that is made needs a whole kernel, of which the padding is a part.
  void demand(int kernel_size, int stride, const Padding& padding) {
    least_ += (kernel_size - 1 - 2 * padding.before - padding.end) * stride_;
    stride_ *= stride;
  }

  void add_stem(int channels, int out) {
    const int stride = step(2, false).stride;
    const auto padding = same_padding(size_, 3, 2, options_.is_torchvision());
    size_ = divided_up(size_, 2);
    add({"_conv_stem.", "_bn0."}, [&] {
      demand(3, stride, padding);
      return nn::ConvNormAct(*this, {"_conv_stem", "_bn0"},
                             {.in_channels = channels,
                              .out_channels = out,
                              .kernel_size = 3,
                              .stride = stride,
                              .padding = padding.before,
                              .end_padding = padding.end,
                              .norm = options_.norm(),
                              .eps = options_.eps,
                              .momentum = options_.momentum,
                              .activation = nn::Activation::silu});
    });
  }

  // That of the level which the block belongs to; level 4 begins before its stride.
  int dilation(int index) const {
    const int own = index > variant_.level_ends[2] ? 32 : index > variant_.level_ends[1] ? 16 : 8;
    const int wanted = request().output_stride == 0 ? own : request().output_stride;
    return std::max(1, own / wanted);
  }

  void add_block(int index, int in, int out, const Group& group, int original_stride) {
    const int stride = step(original_stride, false).stride;
    nn::InvertedResidualOptions block{.in_channels = in,
                                      .out_channels = out,
                                      .kernel_size = group.kernel_size,
                                      .stride = stride,
                                      .dilation = dilation(index),
                                      .expand_ratio = group.expand_ratio,
                                      .squeezed_channels = in / 4,
                                      .shortcut = original_stride == 1,
                                      .drop_path_rate = options_.drop_path_rate * index / blocks(),
                                      .norm = options_.norm(),
                                      .eps = options_.eps,
                                      .momentum = options_.momentum,
                                      .activation = nn::Activation::silu,
                                      .squeezed_activation = nn::Activation::silu};
    const auto padding = same_padding(size_, group.kernel_size, original_stride, options_.is_torchvision());
    if (block.dilation == 1) {  // the original pads dilated layers at both ends, whatever the size
      block.padding = padding.before;
      block.end_padding = padding.end;
    }
    size_ = divided_up(size_, original_stride);
    const auto path = "_blocks." + std::to_string(index) + ".";
    add({path}, [&] {
      if (block.dilation == 1) demand(group.kernel_size, stride, padding);
      return nn::InvertedResidual(*this,
                                  {.expand = {path + "_expand_conv", path + "_bn0"},
                                   .depthwise = {path + "_depthwise_conv", path + "_bn1"},
                                   .project = {path + "_project_conv", path + "_bn2"},
                                   .squeeze = {path + "_se_reduce", path + "_se_expand"}},
                                  block);
    });
  }

  EfficientNetOptions options_;
  Variant variant_;
  int size_;        // of the features that come next, for the image size that the variant was designed for
  int least_ = 1;   // side of the images
  int stride_ = 1;  // of the layers made so far
};

template <std::size_t Number>
class EfficientNetB final : public EfficientNet {
 public:
  EfficientNetB(const EfficientNetOptions& options, const sectile::BuildContext& context)
      : EfficientNet(kVariants[Number], options, context) {}
};

template <std::size_t Number>
constexpr sectile::Component variant(const char* name, const char* summary) {
  return sectile::backbone<EfficientNetB<Number>, EfficientNetOptions>(name, summary);
}

}  // namespace

SECTILE_PLUGIN("1.0.0", variant<0>("efficientnet_b0", "EfficientNet-B0 of Tan and Le 2019, 4 million parameters."),
               variant<1>("efficientnet_b1", "EfficientNet-B1 of Tan and Le 2019, 6 million parameters."),
               variant<2>("efficientnet_b2", "EfficientNet-B2 of Tan and Le 2019, 7 million parameters."),
               variant<3>("efficientnet_b3", "EfficientNet-B3 of Tan and Le 2019, 10 million parameters."),
               variant<4>("efficientnet_b4", "EfficientNet-B4 of Tan and Le 2019, 17 million parameters."),
               variant<5>("efficientnet_b5", "EfficientNet-B5 of Tan and Le 2019, 27 million parameters."),
               variant<6>("efficientnet_b6", "EfficientNet-B6 of Tan and Le 2019, 39 million parameters."),
               variant<7>("efficientnet_b7", "EfficientNet-B7 of Tan and Le 2019, 62 million parameters."))
