// DINOv2 (Oquab et al. 2023, arXiv:2304.07193): vision transformers of patches of 14 x 14 with scaled branches, with
// and without registers (Darcet et al. 2023, arXiv:2309.16588). Names and values are those of transformers' Dinov2Model
// and Dinov2WithRegistersModel, in their files' names; the names of version 5's modules load as well.
//
// Where transformers leaves out the rest of an image at the bottom and right that makes no whole patch, it is padded
// here, so that every pixel has features.
#include <array>

#include <sectile/nn/transformer/vision_transformer.h>

namespace {

namespace nn = sectile::nn;

constexpr int kPatch = 14;
constexpr int kRegisters = 4;
constexpr int kImageSize = 518;

struct Size {
  int channels;
  int layers;
  int heads;
  bool registers = false;
};

struct Dinov2Options : nn::VisionTransformerOptions {
  Dinov2Options() : VisionTransformerOptions(kImageSize) {}
};
struct Dinov2RegistersOptions : nn::VisionTransformerOptions {
  Dinov2RegistersOptions() : VisionTransformerOptions(kImageSize, nn::PositionResize::bicubic_antialias) {}
};

nn::EncoderLayerNames layer_names(const std::string& layer) {
  nn::EncoderLayerNames names;
  names.norm1 = layer + ".norm1";
  names.query = layer + ".attention.attention.query";
  names.key = layer + ".attention.attention.key";
  names.value = layer + ".attention.attention.value";
  names.out = layer + ".attention.output.dense";
  names.norm2 = layer + ".norm2";
  names.first = layer + ".mlp.fc1";
  names.second = layer + ".mlp.fc2";
  names.scale1 = layer + ".layer_scale1.lambda1";
  names.scale2 = layer + ".layer_scale2.lambda1";
  return names;
}

void from_transformers_5(sectile::NamedTensors& file) {
  const std::array<std::pair<const char*, const char*>, 4> names{{
      {"encoder.layer.*.attention.q_proj.*", "encoder.layer.*.attention.attention.query.*"},
      {"encoder.layer.*.attention.k_proj.*", "encoder.layer.*.attention.attention.key.*"},
      {"encoder.layer.*.attention.v_proj.*", "encoder.layer.*.attention.attention.value.*"},
      {"encoder.layer.*.attention.o_proj.*", "encoder.layer.*.attention.output.dense.*"},
  }};
  for (const auto& [theirs, ours] : names) file.rename(theirs, ours);
}

class Dinov2 : public nn::VisionTransformer {
 public:
  Dinov2(const Size& size, const nn::VisionTransformerOptions& options, const sectile::BuildContext& context)
      : VisionTransformer({.channels = size.channels,
                           .layers = size.layers,
                           .heads = size.heads,
                           .patch_size = kPatch,
                           .registers = size.registers ? kRegisters : 0},
                          {.patches = "embeddings.patch_embeddings.projection",
                           .class_token = "embeddings.cls_token",
                           .positions = "embeddings.position_embeddings",
                           .registers = "embeddings.register_tokens",
                           .norm = "layernorm",
                           .layers = "encoder.layer.",
                           .layer = layer_names},
                          options, context) {}

  std::vector<sectile::Dialect> dialects() const override { return {{"transformers 5", from_transformers_5}}; }
  // Stands for hidden patches in pretraining.
  std::vector<std::string> optional_layers() const override { return {"embeddings.mask_token"}; }
};

template <Size kSize, class Options>
struct Named final : Dinov2 {
  Named(const Options& options, const sectile::BuildContext& context) : Dinov2(kSize, options, context) {}
};

template <Size kSize>
constexpr sectile::Component named(const char* name, const char* summary) {
  using Options = std::conditional_t<kSize.registers, Dinov2RegistersOptions, Dinov2Options>;
  return sectile::backbone<Named<kSize, Options>, Options>(name, summary);
}

}  // namespace

SECTILE_PLUGIN("1.0.0", named<Size{384, 12, 6}>("dinov2_small", "DINOv2 ViT-S/14 of Oquab et al. 2023: 384 channels."),
               named<Size{768, 12, 12}>("dinov2_base", "DINOv2 ViT-B/14 of Oquab et al. 2023: 768 channels."),
               named<Size{1024, 24, 16}>("dinov2_large", "DINOv2 ViT-L/14 of Oquab et al. 2023: 1024 channels."),
               named<Size{384, 12, 6, true}>("dinov2_small_registers",
                                             "DINOv2 ViT-S/14 with the registers of Darcet et al. 2023."),
               named<Size{768, 12, 12, true}>("dinov2_base_registers",
                                              "DINOv2 ViT-B/14 with the registers of Darcet et al. 2023."),
               named<Size{1024, 24, 16, true}>("dinov2_large_registers",
                                               "DINOv2 ViT-L/14 with the registers of Darcet et al. 2023."))
