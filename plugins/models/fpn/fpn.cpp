// Feature pyramid network for segmentation (Kirillov et al. 2017, "A unified architecture for instance and semantic
// segmentation"; feature pyramids: Lin et al. 2016, arXiv:1612.03144) with any backbone. Names, options and numbers are
// those of segmentation_models_pytorch's FPN, whose weights load without conversion.
#include <ATen/ops/cat.h>
#include <ATen/ops/feature_dropout.h>
#include <ATen/ops/upsample_bilinear2d.h>

#include <sectile/nn/decoders/encoder_decoder.h>
#include <sectile/nn/group_norm.h>
#include <sectile/nn/names.h>
#include <sectile/nn/resize.h>

namespace {

namespace nn = sectile::nn;

constexpr int kLevels = 4;  // of the pyramid, the backbone's deepest ones
constexpr int kGroups = 32;

enum class Merge { add, cat };

struct FpnOptions : nn::EncoderOptions {
  int pyramid_channels = 256;
  int segmentation_channels = 128;
  Merge merge_policy = Merge::add;
  double dropout = 0.2;
  nn::Interpolation interpolation = nn::Interpolation::nearest;

  void declare(sectile::Options& options) {
    nn::EncoderOptions::declare(options);
    options.add("pyramid_channels", &pyramid_channels, "Channels of each level of the pyramid.").at_least(1);
    options
        .add("segmentation_channels", &segmentation_channels,
             "Channels that each level is reduced to before all are merged; a multiple of 32.")
        .at_least(kGroups);
    options
        .add("merge_policy", &merge_policy,
             "How the levels are merged: add, or cat, which gives the classifier four times the channels.")
        .one_of({"add", "cat"});
    options.add("dropout", &dropout, "Probability that a channel is dropped before the classifier, in training.")
        .at_least(0)
        .at_most(0.99);
    options
        .add("interpolation", &interpolation,
             "How the pyramid's levels are upsampled. nearest is faster, bilinear gives smoother borders.")
        .one_of({"nearest", "bilinear"});
  }
  void check(sectile::Problems& problems) const {
    if (segmentation_channels % kGroups != 0)
      problems.add("segmentation_channels", "is " + std::to_string(segmentation_channels) +
                                                "; expected a multiple of 32, the number of the norms' groups");
  }
};

std::shared_ptr<nn::Conv> lateral(torch::nn::Module& owner, const std::string& path, int in, int out) {
  return nn::register_at(
      owner, path,
      std::make_shared<nn::Conv>(nn::ConvOptions{.in_channels = in, .out_channels = out, .kernel_size = 1}));
}

// 3x3 convolutions with group norm. Each is followed by upsampling, unless the level is the finest.
class SegmentationBranch final {
 public:
  SegmentationBranch(torch::nn::Module& owner, const std::string& path, int in, int out, int upsamplings)
      : upsamples_(upsamplings > 0) {
    for (int i = 0; i < std::max(1, upsamplings); ++i) {
      const auto at = path + ".block." + std::to_string(i) + ".block";
      convs_.push_back(nn::register_at(
          owner, at + ".0",
          std::make_shared<nn::Conv>(nn::ConvOptions{
              .in_channels = i == 0 ? in : out, .out_channels = out, .kernel_size = 3, .padding = 1, .bias = false})));
      norms_.push_back(nn::register_at(owner, at + ".1",
                                       std::make_shared<nn::GroupNorm>(nn::GroupNormOptions{
                                           .channels = out, .groups = kGroups, .activation = nn::Activation::relu})));
    }
  }

  at::Tensor forward(at::Tensor x) const {
    for (std::size_t i = 0; i < convs_.size(); ++i) {
      x = norms_[i]->forward(convs_[i]->forward(x));
      if (upsamples_) x = at::upsample_bilinear2d(x, {2 * x.size(2), 2 * x.size(3)}, /*align_corners=*/true);
    }
    return x;
  }

 private:
  bool upsamples_;
  std::vector<std::shared_ptr<nn::Conv>> convs_;
  std::vector<std::shared_ptr<nn::GroupNorm>> norms_;
};

class Fpn : public nn::EncoderDecoder {
 public:
  Fpn(const FpnOptions& options, const sectile::BuildContext& context)
      : EncoderDecoder(options.backbone, context, all_levels(options.depth)), options_(options) {
    refuse_levels_without_channels(options.backbone, kLevels);
    const auto deepest_first = std::vector<int>(channels().rbegin(), channels().rend());
    for (int i = 0; i < kLevels; ++i) {
      const auto path = "decoder.p" + std::to_string(5 - i) + (i == 0 ? "" : ".skip_conv");
      laterals_.push_back(lateral(*this, path, deepest_first[static_cast<std::size_t>(i)], options.pyramid_channels));
    }
    for (int i = 0; i < kLevels; ++i)
      branches_.emplace_back(*this, "decoder.seg_blocks." + std::to_string(i), options.pyramid_channels,
                             options.segmentation_channels, kLevels - 1 - i);
    const int merged = options.segmentation_channels * (options.merge_policy == Merge::cat ? kLevels : 1);
    register_head(merged, /*kernel_size=*/1, /*upsampling=*/1 << (options.depth + 1 - kLevels));
    initialize();
  }

  // With depth 3, the finest level are the images themselves.
  std::vector<std::string> image_convs() const override {
    return options_.depth < kLevels ? std::vector<std::string>{"decoder.p2.skip_conv.weight"}
                                    : std::vector<std::string>{};
  }

 protected:
  at::Tensor decode(const std::vector<at::Tensor>& features) override {
    std::vector<at::Tensor> branches;
    at::Tensor level;
    for (std::size_t i = 0; i < laterals_.size(); ++i) {
      const auto& feature = features[features.size() - 1 - i];
      const auto side = laterals_[i]->forward(feature);
      level = i == 0 ? side : nn::resize(level, side.sizes().slice(2), options_.interpolation) + side;
      branches.push_back(branches_[i].forward(level));
    }
    return at::feature_dropout(merged(branches), options_.dropout, is_training());
  }

 private:
  at::Tensor merged(const std::vector<at::Tensor>& branches) const {
    if (options_.merge_policy == Merge::cat) return at::cat(branches, 1);
    auto sum = branches[0] + branches[1];
    for (std::size_t i = 2; i < branches.size(); ++i) sum.add_(branches[i]);
    return sum;
  }

  FpnOptions options_;
  std::vector<std::shared_ptr<nn::Conv>> laterals_;  // deepest first, as the branches
  std::vector<SegmentationBranch> branches_;
};

}  // namespace

SECTILE_PLUGIN("1.0.0", sectile::model<Fpn, FpnOptions>(
                            "fpn", "Feature pyramid network of Lin et al. 2016 for segmentation, with any backbone."))
