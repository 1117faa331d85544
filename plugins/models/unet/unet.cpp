// U-Net (Ronneberger, Fischer and Brox 2015, arXiv:1505.04597), its convolutions padded so that the logits have the
// picture's size. Parameter names are those of the wide-spread PyTorch U-Net (milesial/Pytorch-UNet), whose weights
// load as they are.
#include <ATen/ops/constant_pad_nd.h>
#include <ATen/ops/max_pool2d.h>
#include <ATen/ops/upsample_bilinear2d.h>

#include <sectile/model.h>
#include <sectile/nn/conv_norm_act.h>

namespace {

using sectile::nn::Norm;

enum class Up { transposed, bilinear };

struct UNetOptions {
  std::vector<int> widths = {64, 128, 256, 512, 1024};
  Norm norm = Norm::batch;
  Up up = Up::transposed;

  void declare(sectile::Options& options) {
    options
        .add("widths", &widths,
             "Channels at each resolution, the picture's own first; each further one halves the resolution.")
        .at_least(1);
    options
        .add("norm", &norm, "What follows each 3x3 convolution: batch norm, or nothing as in the paper (with a bias).")
        .one_of({"none", "batch"});
    options
        .add("up", &up,
             "How resolution is doubled on the way up: by a learned transposed convolution, or by bilinear "
             "interpolation, which halves the channels of the deepest and of the rising levels.")
        .one_of({"transposed", "bilinear"});
  }
  void check(sectile::Problems& problems) const {
    if (widths.size() < 2)
      problems.add("widths", "has " + std::to_string(widths.size()) +
                                 " entries, and a U-Net goes down at least once: give 2 or more, such as [64, 128]");
    for (std::size_t i = 1; up == Up::bilinear && i < widths.size(); ++i)
      if (widths[i] % 2 != 0)
        problems.add("widths", "entry " + std::to_string(i) + " is " + std::to_string(widths[i]) +
                                   ", and \"up\": \"bilinear\" halves it: give even numbers after the first");
  }
};

// Two 3x3 convolutions, each with norm and ReLU. The names 0, 1, 3, 4 leave 2 and 5 to the activations.
class DoubleConv final : public torch::nn::Module, public sectile::InferenceForm, public sectile::AcrossRanks {
 public:
  DoubleConv(int in, int middle, int out, Norm norm)
      : first_(*this, "0", "1", layer(in, middle, norm)), second_(*this, "3", "4", layer(middle, out, norm)) {}

  at::Tensor forward(const at::Tensor& input) { return second_.forward(first_.forward(input)); }
  at::Tensor forward(const at::Tensor& skip, const at::Tensor& deeper) {
    return second_.forward(first_.forward(skip, deeper));
  }
  void prepare_for_inference() override {
    first_.fold();
    second_.fold();
  }
  void use(std::shared_ptr<const sectile::Ranks> ranks) override {
    first_.use(ranks);
    second_.use(ranks);
  }

 private:
  static sectile::nn::ConvNormActOptions layer(int in, int out, Norm norm) {
    return {.in_channels = in, .out_channels = out, .kernel_size = 3, .padding = 1, .norm = norm};
  }

  sectile::nn::ConvNormActLayers first_;
  sectile::nn::ConvNormActLayers second_;
};

// A level of names only, where the original has a module around others.
torch::nn::Module& nest(torch::nn::Module& parent, const std::string& name) {
  return *parent.register_module(name, std::make_shared<torch::nn::Module>("Nest"));
}

// Where the skip has an odd size, pooling dropped its last row or column: zeros take its place, right and bottom first.
at::Tensor pad_like(const at::Tensor& x, const at::Tensor& skip) {
  const auto rows = skip.size(2) - x.size(2), columns = skip.size(3) - x.size(3);
  if (rows == 0 && columns == 0) return x;
  return at::constant_pad_nd(x, {columns / 2, columns - columns / 2, rows / 2, rows - rows / 2});
}

class UNet : public torch::nn::Module, public sectile::WeightRules {
 public:
  UNet(const UNetOptions& options, const sectile::BuildContext& context) : options_(options) {
    if (context.dimensions != 2)
      throw sectile::PluginError("unet", "works on pictures, and the data has volumes: choose a model for volumes");
    register_way_down(context.channels);
    register_way_up();
    classifier_ =
        nest(*this, "outc").register_module("conv", torch::nn::Conv2d(options.widths[0], context.classes(), 1));
  }

  // images: float [N, C, H, W] of any size that survives the poolings → logits: float [N, classes, H, W]
  at::Tensor forward(const at::Tensor& images) {
    require_size(images);
    std::vector<at::Tensor> skips;
    auto x = down_[0]->forward(images);
    for (std::size_t i = 1; i < down_.size(); ++i) {
      skips.push_back(x);
      x = down_[i]->forward(at::max_pool2d(x, 2));
    }
    for (const auto& level : up_) {
      const auto doubled = level.up ? level.up->forward(x) : double_bilinear(x);
      x = level.conv->forward(skips.back(), pad_like(doubled, skips.back()));
      skips.pop_back();
    }
    return classifier_->forward(x);
  }

  std::vector<std::string> head() const override { return {"outc.conv."}; }
  at::Tensor adapt(const std::string& name, const at::Tensor& tensor, at::IntArrayRef wanted) const override {
    return name == "inc.double_conv.0.weight" ? sectile::adapt_input_channels(tensor, wanted[1]) : at::Tensor();
  }
  // Stages of the way down, "inc" and "down1", "down2", …; the way up learns at the full rate.
  int depth(const std::string& parameter) const override {
    if (parameter.rfind("inc.", 0) == 0) return 0;
    return parameter.rfind("down", 0) == 0 ? std::stoi(parameter.substr(4)) : -1;
  }

 private:
  struct UpLevel {
    std::shared_ptr<torch::nn::ConvTranspose2dImpl> up;  // null: bilinear
    std::shared_ptr<DoubleConv> conv;
  };

  std::size_t poolings() const { return options_.widths.size() - 1; }
  // How much narrower than in `widths` the maps are that bilinear interpolation will double: it cannot halve them
  // itself.
  int narrowing() const { return options_.up == Up::bilinear ? 2 : 1; }

  void register_way_down(int channels) {
    const auto& widths = options_.widths;
    const auto add = [&](torch::nn::Module& owner, int in, int out) {
      down_.push_back(owner.register_module("double_conv", std::make_shared<DoubleConv>(in, out, out, options_.norm)));
    };
    add(nest(*this, "inc"), channels, widths[0]);
    for (std::size_t i = 1; i <= poolings(); ++i)
      add(nest(nest(nest(*this, "down" + std::to_string(i)), "maxpool_conv"), "1"), widths[i - 1],
          i == poolings() ? widths[i] / narrowing() : widths[i]);
  }

  void register_way_up() {
    const auto& widths = options_.widths;
    for (std::size_t i = 1; i <= poolings(); ++i) {
      const std::size_t to = poolings() - i;  // the level that the skip comes from
      auto& owner = nest(*this, "up" + std::to_string(i));
      UpLevel level;
      if (options_.up == Up::transposed)
        level.up = owner.register_module(
            "up", std::make_shared<torch::nn::ConvTranspose2dImpl>(
                      torch::nn::ConvTranspose2dOptions(widths[to + 1], widths[to], 2).stride(2)));
      const int in = widths[to] + (level.up ? widths[to] : widths[to + 1] / 2);
      const int middle = level.up ? widths[to] : in / 2;
      const int out = to == 0 ? widths[0] : widths[to] / narrowing();
      level.conv = nest(owner, "conv")
                       .register_module("double_conv", std::make_shared<DoubleConv>(in, middle, out, options_.norm));
      up_.push_back(std::move(level));
    }
  }

  void require_size(const at::Tensor& images) const {
    const auto least = std::int64_t{1} << poolings();
    if (images.size(2) >= least && images.size(3) >= least) return;
    throw sectile::DataError(
        "unet", "pictures of " + std::to_string(images.size(2)) + " x " + std::to_string(images.size(3)) +
                    " pixels are pooled away by " + std::to_string(poolings()) + " halvings; give at least " +
                    std::to_string(least) + " x " + std::to_string(least) + ", or fewer entries in \"widths\"");
  }

  static at::Tensor double_bilinear(const at::Tensor& x) {
    return at::upsample_bilinear2d(x, {2 * x.size(2), 2 * x.size(3)}, /*align_corners=*/true);
  }

  UNetOptions options_;
  std::vector<std::shared_ptr<DoubleConv>> down_;
  std::vector<UpLevel> up_;  // deepest first
  torch::nn::Conv2d classifier_{nullptr};
};

}  // namespace

SECTILE_PLUGIN("1.0.0", sectile::model<UNet, UNetOptions>("unet", "U-Net of Ronneberger et al. 2015, any depth."))
