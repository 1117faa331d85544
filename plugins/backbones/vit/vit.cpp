// Vision transformers (Dosovitskiy et al. 2020, arXiv:2010.11929) of patches of 16 x 16, with the names and values of
// MMSegmentation's VisionTransformer. Files of timm load as well.
//
// MMSegmentation's own networks have no bias in the convolution of patches and position embeddings resized without
// antialiasing, timm's have the bias, and antialiasing: see the options.
#include <array>

#include <sectile/nn/transformer/vision_transformer.h>

namespace {

namespace nn = sectile::nn;

struct VitOptions : nn::VisionTransformerOptions {
  VitOptions() : VisionTransformerOptions(224) {}

  bool patch_bias = true;

  void declare(sectile::Options& options) {
    VisionTransformerOptions::declare(options);
    options.add("patch_bias", &patch_bias,
                "Whether the convolution of patches has a bias, as in timm; MMSegmentation's Segmenter has none.");
  }
};

struct Size {
  int channels;
  int layers;
  int heads;
};

void from_timm(sectile::NamedTensors& file) {
  const std::array<std::pair<const char*, const char*>, 9> names{{
      {"patch_embed.proj.*", "patch_embed.projection.*"},
      {"blocks.*.norm1.*", "layers.*.ln1.*"},
      {"blocks.*.norm2.*", "layers.*.ln2.*"},
      {"blocks.*.attn.qkv.weight", "layers.*.attn.attn.in_proj_weight"},
      {"blocks.*.attn.qkv.bias", "layers.*.attn.attn.in_proj_bias"},
      {"blocks.*.attn.proj.*", "layers.*.attn.attn.out_proj.*"},
      {"blocks.*.mlp.fc1.*", "layers.*.ffn.layers.0.0.*"},
      {"blocks.*.mlp.fc2.*", "layers.*.ffn.layers.1.*"},
      {"norm.*", "ln1.*"},
  }};
  for (const auto& [theirs, ours] : names) file.rename(theirs, ours);
  file.drop("head.*");
}

class Vit : public nn::VisionTransformer {
 public:
  Vit(const Size& size, const VitOptions& options, const sectile::BuildContext& context)
      : VisionTransformer(
            {.channels = size.channels, .layers = size.layers, .heads = size.heads, .patch_bias = options.patch_bias},
            {.patches = "patch_embed.projection",
             .class_token = "cls_token",
             .positions = "pos_embed",
             .norm = "ln1",
             .layers = "layers.",
             .layer = nn::mmsegmentation_layer},
            options, context) {}

  std::vector<sectile::Dialect> dialects() const override { return {{"timm", from_timm}}; }
};

template <Size kSize>
struct Named final : Vit {
  Named(const VitOptions& options, const sectile::BuildContext& context) : Vit(kSize, options, context) {}
};

template <Size kSize>
constexpr sectile::Component named(const char* name, const char* summary) {
  return sectile::backbone<Named<kSize>, VitOptions>(name, summary);
}

}  // namespace

SECTILE_PLUGIN("1.0.0", named<Size{192, 12, 3}>("vit_tiny", "ViT-Ti/16 of Touvron et al. 2020: 192 channels."),
               named<Size{384, 12, 6}>("vit_small", "ViT-S/16 of Touvron et al. 2020: 384 channels."),
               named<Size{768, 12, 12}>("vit_base", "ViT-B/16 of Dosovitskiy et al. 2020: 768 channels."),
               named<Size{1024, 24, 16}>("vit_large", "ViT-L/16 of Dosovitskiy et al. 2020: 1024 channels."))
