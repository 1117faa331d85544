// DeepLabV3 (Chen et al. 2017, arXiv:1706.05587): atrous spatial pyramid pooling on a dilated backbone.
//
// Names and values are those of torchvision's deeplabv3_resnet50, deeplabv3_resnet101 and deeplabv3_mobilenet_v3_large,
// or, with "preset": "smp", of segmentation_models_pytorch's DeepLabV3, which dilates the whole of a stage,
// interpolates with aligned corners, and takes images whose sides the output stride divides.
#include <optional>

#include <torch/nn/init.h>

#include <sectile/backbone.h>
#include <sectile/model.h>
#include <sectile/nn/aspp.h>
#include <sectile/nn/decoders/fcn_head.h>
#include <sectile/nn/resize.h>
#include <sectile/roles.h>

namespace {

namespace nn = sectile::nn;
using sectile::Backbone;

constexpr double kAuxiliaryWeight = 0.5;  // in the loss, as in torchvision's reference training

enum class Preset { torchvision, smp };

struct DeepLabV3Options {
  sectile::Ref<Backbone> backbone = sectile::Ref<Backbone>("resnet50");
  Preset preset = Preset::torchvision;
  int output_stride = 8;
  std::vector<int> atrous_rates{12, 24, 36};
  int channels = 256;
  bool separable = false;
  bool mean_first = false;
  double dropout = 0.5;
  bool head_conv = true;
  double eps = 1e-5;
  std::optional<bool> align_corners{};
  bool aux_loss = false;
  double aux_dropout = 0.1;

  void declare(sectile::Options& options) {
    options.add("backbone", &backbone, "Network that computes the features.");
    options
        .add("preset", &preset,
             "Whose weights fit: those of torchvision, or of segmentation_models_pytorch (smp), where the first block "
             "of a dilated stage is dilated like the others, corners are aligned, and images are padded to a multiple "
             "of the output stride.")
        .one_of({"torchvision", "smp"});
    options
        .add("output_stride", &output_stride,
             "How many pixels of the image one pixel of the last features stands for: 8, or 16 or 32 to save time and "
             "memory, with coarser masks. The backbone is dilated for 8 and 16.")
        .at_least(1);
    options
        .add("atrous_rates", &atrous_rates,
             "Dilations of the pyramid's 3x3 convolutions, in pixels of the features. Halve them for an output stride "
             "of 16. Empty: only a 1x1 convolution and the mean over the image.")
        .at_least(1)
        .at_most(1024);
    options.add("channels", &channels, "Channels of each branch of the pyramid, and of what follows.").at_least(1);
    options.add("separable", &separable,
                "Splits the pyramid's 3x3 convolutions into one per channel and one per pixel: less computation.");
    options.add("mean_first", &mean_first,
                "The pyramid's projection takes the mean over the image before the convolutions. true for weights from "
                "TensorFlow's DeepLab, whose names and shapes do not tell.");
    options.add("dropout", &dropout, "Dropout probability of the pyramid's result, in training.")
        .at_least(0)
        .at_most(0.99);
    options.add("head_conv", &head_conv,
                "With a 3x3 convolution between pyramid and classifier. false for weights that have none.");
    options
        .add("eps", &eps,
             "Added to the variance in the head's batch norms. Weights need that of the network they are "
             "from.")
        .at_least(1e-12)
        .at_most(1);
    options.add("align_corners", &align_corners,
                "How logits are interpolated to the image's size: whether the centers of the corner pixels coincide. "
                "Default: true for preset smp, false for torchvision.");
    options.add(
        "aux_loss", &aux_loss,
        "Trains a second head on features at 1/8 of the image, with weight 0.5 in the loss unless the loss says "
        "otherwise. It helps deep networks to learn, and takes no part in prediction. For preset torchvision.");
    options.add("aux_dropout", &aux_dropout, "Dropout probability before the second head's classifier, in training.")
        .at_least(0)
        .at_most(0.99);
  }
  void check(sectile::Problems& problems) const {
    if (aux_loss && preset == Preset::smp)
      problems.add("aux_loss", "is true, and \"preset\": \"smp\" has no second head: set it to false");
  }
};

// Where layers are registered.
struct Paths {
  std::string backbone, pyramid;
  nn::Names conv;
  std::string classifier;

  explicit Paths(const DeepLabV3Options& options) {
    if (options.preset == Preset::smp) {
      backbone = "encoder";
      pyramid = "decoder.aspp";
      conv = {"decoder.conv", "decoder.bn"};
      classifier = "segmentation_head.0";
    } else {
      backbone = "backbone";
      pyramid = "classifier.0";
      conv = nn::in_sequence("classifier", 1);
      classifier = options.head_conv ? "classifier.4" : "classifier.1";
    }
  }
};

class DeepLabV3 : public torch::nn::Module, public sectile::WeightRules {
 public:
  DeepLabV3(const DeepLabV3Options& options, const sectile::BuildContext& context)
      : options_(options),
        paths_(options),
        backbone_(
            register_module(paths_.backbone, sectile::build_backbone(options.backbone, context, request(options)))),
        pyramid_(*this, paths_.pyramid,
                 {.in_channels = backbone_->levels().back().channels,
                  .channels = options.channels,
                  .atrous_rates = options.atrous_rates,
                  .separable = options.separable,
                  .dropout = options.dropout,
                  .eps = options.eps,
                  .mean_first = options.mean_first}) {
    if (options.head_conv)
      conv_.emplace(*this, paths_.conv,
                    nn::ConvNormActOptions{.in_channels = options.channels,
                                           .out_channels = options.channels,
                                           .kernel_size = 3,
                                           .padding = 1,
                                           .eps = options.eps});
    classifier_ =
        nn::register_at(*this, paths_.classifier,
                        std::make_shared<nn::Conv>(nn::ConvOptions{
                            .in_channels = options.channels, .out_channels = context.classes(), .kernel_size = 1}));
    if (options.aux_loss) add_auxiliary(context.classes());
    if (options.preset == Preset::smp) initialize_as_smp();
  }

  sectile::ModelTraits traits() const {
    if (options_.preset != Preset::smp) return {};
    return {.divisor = {1, options_.output_stride, options_.output_stride}};
  }

  // images: float [N, C, H, W] → logits: float [N, classes, H, W]
  sectile::Outputs forward(const at::Tensor& images) {
    const auto levels = backbone_->features(images);
    auto x = pyramid_.forward(levels.back());
    if (conv_) x = conv_->forward(x);
    sectile::Outputs outputs;
    outputs.logits = nn::resize_like(classifier_->forward(x), images,
                                     options_.align_corners.value_or(options_.preset == Preset::smp));
    if (!is_training() || !auxiliary_) return outputs;
    auto& auxiliary = outputs.auxiliary.emplace_back();
    auxiliary.logits =
        nn::resize_like(auxiliary_->forward(levels[auxiliary_level_]), images, options_.align_corners.value_or(false));
    auxiliary.weight = kAuxiliaryWeight;
    return outputs;
  }

  std::vector<std::string> head() const override { return {paths_.classifier + ".", "aux_classifier.4."}; }
  std::vector<std::string> optional_layers() const override { return {"aux_classifier."}; }
  std::vector<sectile::Dialect> dialects() const override {
    if (options_.preset != Preset::smp) return {};
    return {{"segmentation_models_pytorch before 0.4", [](sectile::NamedTensors& file) {
               file.rename("decoder.0.*", "decoder.aspp.*");
               file.rename("decoder.1.*", "decoder.conv.*");
               file.rename("decoder.2.*", "decoder.bn.*");
             }}};
  }

 private:
  // All levels where one must be chosen by its stride.
  static sectile::FeatureRequest request(const DeepLabV3Options& options) {
    return {.output_stride = options.output_stride,
            .levels = options.aux_loss ? std::vector<int>{} : std::vector<int>{-1},
            .dilate_first_block = options.preset == Preset::smp};
  }

  void add_auxiliary(int classes) {
    const auto levels = backbone_->levels();
    auxiliary_level_ = nn::FcnHead::auxiliary_level(levels);
    auxiliary_.emplace(*this, "aux_classifier",
                       nn::FcnHeadOptions{.in_channels = levels[auxiliary_level_].channels,
                                          .classes = classes,
                                          .dropout = options_.aux_dropout,
                                          .eps = options_.eps});
  }

  // He uniform initialization of the decoder, Xavier's of the classifier. torchvision's is that of its layers.
  void initialize_as_smp() {
    for (const auto& item : nn::nest(*this, "decoder").named_modules("", /*include_self=*/false))
      if (auto* conv = dynamic_cast<nn::Conv*>(item.value().get()))
        torch::nn::init::kaiming_uniform_(conv->weight, 0, torch::kFanIn, torch::kReLU);
    torch::nn::init::xavier_uniform_(classifier_->weight);
    torch::nn::init::zeros_(classifier_->bias);
  }

  const DeepLabV3Options options_;
  const Paths paths_;
  std::shared_ptr<Backbone> backbone_;
  nn::Aspp pyramid_;
  std::optional<nn::ConvNormAct> conv_;
  std::shared_ptr<nn::Conv> classifier_;
  std::optional<nn::FcnHead> auxiliary_;
  std::size_t auxiliary_level_ = 0;
};

}  // namespace

SECTILE_PLUGIN("1.0.0", sectile::model<DeepLabV3, DeepLabV3Options>(
                            "deeplabv3", "DeepLabV3 of Chen et al. 2017: a pyramid of dilated convolutions."))
