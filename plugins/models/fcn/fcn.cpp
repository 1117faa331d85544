// FCN (Long, Shelhamer and Darrell 2015, arXiv:1411.4038) on a dilated backbone, with the names and values of
// torchvision's fcn_resnet50 and fcn_resnet101: a head on the last level of features, bilinear to the image's size.
#include <optional>

#include <sectile/backbone.h>
#include <sectile/model.h>
#include <sectile/nn/decoders/fcn_head.h>
#include <sectile/nn/resize.h>
#include <sectile/roles.h>

namespace {

namespace nn = sectile::nn;
using sectile::Backbone;

constexpr double kAuxiliaryWeight = 0.5;  // in the loss, as in torchvision's reference training

struct FcnOptions {
  sectile::Ref<Backbone> backbone = sectile::Ref<Backbone>("resnet50");
  int output_stride = 8;
  double dropout = 0.1;
  bool aux_loss = false;

  void declare(sectile::Options& options) {
    options.add("backbone", &backbone, "Network that computes the features.");
    options
        .add("output_stride", &output_stride,
             "How many pixels of the image one pixel of the last features stands for: 8, or 16 or 32 to save time and "
             "memory, with coarser masks. The backbone is dilated for it.")
        .at_least(1);
    options.add("dropout", &dropout, "Dropout probability before each head's classifier, in training.")
        .at_least(0)
        .at_most(0.99);
    options.add(
        "aux_loss", &aux_loss,
        "Trains a second head on features at 1/8 of the image, with weight 0.5 in the loss unless the loss says "
        "otherwise. It helps deep networks to learn, and takes no part in prediction.");
  }
};

class Fcn : public torch::nn::Module, public sectile::WeightRules {
 public:
  Fcn(const FcnOptions& options, const sectile::BuildContext& context)
      : backbone_(register_module("backbone", sectile::build_backbone(options.backbone, context, request(options)))),
        head_(*this, "classifier", head(backbone_->levels().back(), options, context)) {
    if (!options.aux_loss) return;
    const auto levels = backbone_->levels();
    auxiliary_level_ = nn::FcnHead::auxiliary_level(levels);
    auxiliary_.emplace(*this, "aux_classifier", head(levels[auxiliary_level_], options, context));
  }

  // images: float [N, C, H, W] → logits: float [N, classes, H, W]
  sectile::Outputs forward(const at::Tensor& images) {
    const auto levels = backbone_->features(images);
    sectile::Outputs outputs;
    outputs.logits = nn::resize_like(head_.forward(levels.back()), images);
    if (!is_training() || !auxiliary_) return outputs;
    auto& auxiliary = outputs.auxiliary.emplace_back();
    auxiliary.logits = nn::resize_like(auxiliary_->forward(levels[auxiliary_level_]), images);
    auxiliary.weight = kAuxiliaryWeight;
    return outputs;
  }

  std::vector<std::string> head() const override { return {"classifier.4.", "aux_classifier.4."}; }
  std::vector<std::string> optional_layers() const override { return {"aux_classifier."}; }

 private:
  // All levels where one must be chosen by its stride.
  static sectile::FeatureRequest request(const FcnOptions& options) {
    return {.output_stride = options.output_stride,
            .levels = options.aux_loss ? std::vector<int>{} : std::vector<int>{-1}};
  }
  static nn::FcnHeadOptions head(const sectile::FeatureLevel& level, const FcnOptions& options,
                                 const sectile::BuildContext& context) {
    return {.in_channels = level.channels, .classes = context.classes(), .dropout = options.dropout};
  }

  std::shared_ptr<Backbone> backbone_;
  nn::FcnHead head_;
  std::optional<nn::FcnHead> auxiliary_;
  std::size_t auxiliary_level_ = 0;
};

}  // namespace

SECTILE_PLUGIN("1.0.0",
               sectile::model<Fcn, FcnOptions>("fcn",
                                               "FCN of Long et al. 2015 on a dilated backbone, as in torchvision."))
