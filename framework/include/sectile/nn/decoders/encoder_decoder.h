// Networks of a backbone, a decoder of its features, and a classifier of pixels, with the names and the initialization
// of segmentation_models_pytorch: encoder.*, decoder.*, segmentation_head.0.*.
#pragma once

#include <memory>
#include <vector>

#include <sectile/backbone.h>
#include <sectile/model.h>
#include <sectile/nn/conv.h>
#include <sectile/roles.h>

namespace sectile::nn {

// For a model's options to derive from; its `declare` calls this one.
struct SECTILE_EXPORT EncoderOptions {
  explicit EncoderOptions(int original_depth = 5) : depth(original_depth) {}

  Ref<Backbone> backbone{"resnet34"};
  int depth;  // number of levels, at strides 2, 4, …

  void declare(Options& options);
};

class SECTILE_EXPORT EncoderDecoder : public torch::nn::Module, public WeightRules {
 public:
  ~EncoderDecoder() override;

  at::Tensor forward(const at::Tensor& images);  // float [N, C, H, W] → logits: float [N, classes, H, W]
  ModelTraits traits() const;

  std::vector<std::string> head() const override;
  std::vector<std::string> optional_layers() const override;

 protected:
  // levels: those that the decoder uses, 0 at stride 2 and so on; output_stride: of the deepest, 0: its own. Throws
  // OptionError for a backbone whose levels have other strides.
  EncoderDecoder(const Ref<Backbone>& backbone, const BuildContext& context, std::vector<int> levels,
                 int output_stride = 0);
  static std::vector<int> all_levels(int depth);
  // For a decoder that takes channels from each level, or from the deepest `count`. Throws OptionError for a backbone
  // with a level that has none, such as a mix transformer's at stride 2.
  void refuse_levels_without_channels(const Ref<Backbone>& backbone, std::size_t count = 5) const;

  // [0]: channels of the images, then of each of the levels.
  const std::vector<int>& channels() const { return channels_; }
  // The last step of a constructor: a convolution, whose logits are enlarged (bilinear, align_corners) to the images'
  // size.
  void register_head(int in_channels, int kernel_size, int upsampling = 1);
  // As the original's: He uniform for convolutions of the decoder, Glorot uniform for the head, biases 0.
  void initialize();

  // features: as channels(). Returns float [N, C, H / upsampling, W / upsampling].
  virtual at::Tensor decode(const std::vector<at::Tensor>& features) = 0;
  virtual bool takes_any_size() const { return false; }  // or multiples of the deepest level's stride

 private:
  std::shared_ptr<Backbone> encoder_;
  std::vector<int> channels_;
  int stride_;  // of the deepest level
  int classes_;
  std::shared_ptr<Conv> head_;
  int upsampling_ = 1;
};

}  // namespace sectile::nn
