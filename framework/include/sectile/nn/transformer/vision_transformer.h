// The plain vision transformer (Dosovitskiy et al. 2020, arXiv:2010.11929) as a backbone of one level of features: the
// tokens of its patches after the last norm, as a map.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include <sectile/backbone.h>
#include <sectile/context.h>
#include <sectile/nn/conv.h>
#include <sectile/nn/transformer/encoder_layer.h>
#include <sectile/nn/transformer/position_embedding.h>
#include <sectile/options.h>
#include <sectile/roles.h>

namespace sectile::nn {

// For a backbone's options to derive from; its `declare` calls this one.
struct SECTILE_EXPORT VisionTransformerOptions {
  explicit VisionTransformerOptions(int original_image_size, PositionResize original = PositionResize::bicubic)
      : image_size(original_image_size), interpolate(original) {}

  int image_size;
  PositionResize interpolate;
  double eps = 1e-6;
  double drop_path_rate = 0;
  bool gradient_checkpointing = false;

  void declare(Options& options);
};

struct VisionTransformerShape {
  int channels;
  int layers;
  int heads;
  int patch_size = 16;
  bool patch_bias = true;
  int registers = 0;       // tokens without positions (Darcet et al. 2023, arXiv:2309.16588)
  double layer_scale = 1;  // initial value, where the layers have one
};

struct VisionTransformerNames {
  std::string patches;      // a convolution
  std::string class_token;  // parameters
  std::string positions;
  std::string registers{};
  std::string norm;    // after the last layer
  std::string layers;  // "layers." for "layers.0", "layers.1", …
  std::function<EncoderLayerNames(const std::string& layer)> layer;
};

// Depths for layer-wise learning rates and for freezing: 0 are patches and tokens, then one for each layer; the last
// norm is of the last layer. A file's position embeddings of another image size are resized.
class SECTILE_EXPORT VisionTransformer : public Backbone, public WeightRules {
 public:
  ~VisionTransformer() override;

  // images: float [N, C, H, W] → one level: float [N, channels, ceil(H / patch), ceil(W / patch)]. Images are padded
  // with zeros at the bottom and right to whole patches.
  std::vector<at::Tensor> features(const at::Tensor& images) override;
  std::vector<FeatureLevel> levels() const override;

  std::vector<std::string> image_convs() const override;
  int depth(const std::string& parameter) const override;
  bool decays(const std::string& parameter) const override;  // tokens and positions do not
  at::Tensor adapt(const std::string& name, const at::Tensor& tensor, at::IntArrayRef wanted) const override;

 protected:
  // Throws OptionError for an output stride that is not the patch size, for a level other than the only one, and for an
  // image size that is no multiple of the patch size.
  VisionTransformer(const VisionTransformerShape& shape, const VisionTransformerNames& names,
                    const VisionTransformerOptions& options, const BuildContext& context);

 private:
  at::Tensor embedded(const at::Tensor& map) const;  // patches as tokens, with positions and all other tokens

  const VisionTransformerShape shape_;
  const VisionTransformerNames names_;
  const PositionResize interpolate_;
  const bool gradient_checkpointing_;
  std::shared_ptr<Conv> patches_;
  at::Tensor class_token_;  // [1, 1, C]
  at::Tensor positions_;    // [1, 1 + n * n, C]
  at::Tensor registers_;    // [1, R, C], or undefined
  std::vector<EncoderLayer> layers_;
  std::vector<std::vector<at::Tensor>> parameters_;  // of each layer
  std::shared_ptr<LayerNorm> norm_;
};

}  // namespace sectile::nn
