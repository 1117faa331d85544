// U-Net (Ronneberger, Fischer and Brox 2015, arXiv:1505.04597), with padded convolutions, so that the logits have the
// image's size. Parameter names are those of the popular PyTorch U-Net (milesial/Pytorch-UNet), whose weights load
// without conversion.
#include <ATen/ops/constant_pad_nd.h>
#include <ATen/ops/max_pool2d.h>
#include <ATen/ops/upsample_bilinear2d.h>

#include <sectile/model.h>
#include <sectile/nn/conv_norm_act.h>

namespace {

constexpr std::size_t kMostLevels = 16;

namespace nn = sectile::nn;
using sectile::nn::Norm;

enum class Up { transposed, bilinear };

struct UNetOptions {
  std::vector<int> widths = {64, 128, 256, 512, 1024};
  Norm norm = Norm::batch;
  Up up = Up::transposed;

  void declare(sectile::Options& options) {
    options
        .add("widths", &widths,
             "Channels at each resolution, starting at full resolution; each next level halves the resolution.")
        .at_least(1);
    options
        .add("norm", &norm,
             "Normalization after each 3x3 convolution: batch norm, or none as in the paper (with a bias).")
        .one_of({"none", "batch"});
    options
        .add("up", &up,
             "Upsampling: transposed convolution, or bilinear interpolation, which halves the channels of the deepest "
             "and of the decoder levels.")
        .one_of({"transposed", "bilinear"});
  }
  void check(sectile::Problems& problems) const {
    if (widths.size() < 2)
      problems.add("widths", "has " + std::to_string(widths.size()) +
                                 " entries, and a U-Net goes down at least once: give 2 or more, such as [64, 128]");
    if (widths.size() > kMostLevels)
      problems.add("widths", "has " + std::to_string(widths.size()) + " values; expected up to " +
                                 std::to_string(kMostLevels) + ", because each level halves the image");
    for (std::size_t i = 1; up == Up::bilinear && i < widths.size(); ++i)
      if (widths[i] % 2 != 0)
        problems.add("widths", "entry " + std::to_string(i) + " is " + std::to_string(widths[i]) +
                                   ", and \"up\": \"bilinear\" halves it: give even numbers after the first");
  }
};

// Two 3x3 convolutions, each with norm and ReLU, named 0, 1, 3, 4; 2 and 5 are the activations of the original.
class DoubleConv final {
 public:
  DoubleConv(torch::nn::Module& owner, const std::string& path, int in, int middle, int out, Norm norm)
      : first_(owner, nn::in_sequence(path, 0), layer(in, middle, norm)),
        second_(owner, nn::in_sequence(path, 3), layer(middle, out, norm)) {}

  at::Tensor forward(const at::Tensor& input) const { return second_.forward(first_.forward(input)); }
  at::Tensor forward(const at::Tensor& skip, const at::Tensor& deeper) const {
    return second_.forward(first_.forward(skip, deeper));
  }

 private:
  static nn::ConvNormActOptions layer(int in, int out, Norm norm) {
    return {.in_channels = in, .out_channels = out, .kernel_size = 3, .padding = 1, .norm = norm};
  }

  nn::ConvNormAct first_;
  nn::ConvNormAct second_;
};

// If the skip has an odd size, pooling dropped its last row or column: pads with zeros, right and bottom first.
at::Tensor pad_like(const at::Tensor& x, const at::Tensor& skip) {
  const auto rows = skip.size(2) - x.size(2), columns = skip.size(3) - x.size(3);
  if (rows == 0 && columns == 0) return x;
  return at::constant_pad_nd(x, {columns / 2, columns - columns / 2, rows / 2, rows - rows / 2});
}

class UNet : public torch::nn::Module, public sectile::WeightRules {
 public:
  UNet(const UNetOptions& options, const sectile::BuildContext& context) : options_(options) {
    register_way_down(context.channels);
    register_way_up();
    classifier_ =
        nn::register_at(*this, "outc.conv",
                        std::make_shared<nn::Conv>(nn::ConvOptions{
                            .in_channels = options.widths[0], .out_channels = context.classes(), .kernel_size = 1}));
  }

  sectile::ModelTraits traits() const {
    const int least = 1 << poolings();  // smaller images would be pooled to size 0
    return {.least = {1, least, least}};
  }

  // images: float [N, C, H, W] → logits: float [N, classes, H, W]
  at::Tensor forward(const at::Tensor& images) {
    std::vector<at::Tensor> skips;
    auto x = down_[0].forward(images);
    for (std::size_t i = 1; i < down_.size(); ++i) {
      skips.push_back(x);
      x = down_[i].forward(at::max_pool2d(x, 2));
    }
    for (const auto& level : up_) {
      const auto doubled = level.up ? level.up->forward(x) : double_bilinear(x);
      x = level.conv.forward(skips.back(), pad_like(doubled, skips.back()));
      skips.pop_back();
    }
    return classifier_->forward(x);
  }

  std::vector<std::string> head() const override { return {"outc.conv."}; }
  std::vector<std::string> image_convs() const override { return {"inc.double_conv.0.weight"}; }
  // Stages of the encoder: "inc", "down1", "down2", …; the decoder has the full learning rate.
  int depth(const std::string& parameter) const override {
    if (parameter.rfind("inc.", 0) == 0) return 0;
    return parameter.rfind("down", 0) == 0 ? std::stoi(parameter.substr(4)) : -1;
  }

 private:
  struct UpLevel {
    std::shared_ptr<nn::Conv> up;  // null: bilinear
    DoubleConv conv;
  };

  std::size_t poolings() const { return options_.widths.size() - 1; }
  // Divisor of the channels before bilinear upsampling, which, unlike a transposed convolution, cannot halve them.
  int narrowing() const { return options_.up == Up::bilinear ? 2 : 1; }

  void register_way_down(int channels) {
    const auto& widths = options_.widths;
    down_.emplace_back(*this, "inc.double_conv", channels, widths[0], widths[0], options_.norm);
    for (std::size_t i = 1; i <= poolings(); ++i) {
      const int out = i == poolings() ? widths[i] / narrowing() : widths[i];
      down_.emplace_back(*this, "down" + std::to_string(i) + ".maxpool_conv.1.double_conv", widths[i - 1], out, out,
                         options_.norm);
    }
  }

  void register_way_up() {
    const auto& widths = options_.widths;
    for (std::size_t i = 1; i <= poolings(); ++i) {
      const std::size_t to = poolings() - i;  // the level of the skip
      const auto path = "up" + std::to_string(i);
      std::shared_ptr<nn::Conv> up;
      if (options_.up == Up::transposed)
        up = nn::register_at(*this, path + ".up",
                             std::make_shared<nn::Conv>(nn::ConvOptions{.in_channels = widths[to + 1],
                                                                        .out_channels = widths[to],
                                                                        .kernel_size = 2,
                                                                        .stride = 2,
                                                                        .transposed = true}));
      const int in = widths[to] + (up ? widths[to] : widths[to + 1] / 2);
      const int middle = up ? widths[to] : in / 2;
      const int out = to == 0 ? widths[0] : widths[to] / narrowing();
      up_.push_back({up, DoubleConv(*this, path + ".conv.double_conv", in, middle, out, options_.norm)});
    }
  }

  static at::Tensor double_bilinear(const at::Tensor& x) {
    return at::upsample_bilinear2d(x, {2 * x.size(2), 2 * x.size(3)}, /*align_corners=*/true);
  }

  UNetOptions options_;
  std::vector<DoubleConv> down_;
  std::vector<UpLevel> up_;  // deepest first
  std::shared_ptr<nn::Conv> classifier_;
};

}  // namespace

SECTILE_PLUGIN("1.0.0", sectile::model<UNet, UNetOptions>("unet", "U-Net of Ronneberger et al. 2015, any depth."))
