#include <sectile/nn/batch_norm.h>

#include <ATen/Context.h>
#include <ATen/ops/batch_norm.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/full.h>
#include <ATen/ops/ones.h>
#include <ATen/ops/zeros.h>
#include <c10/core/GradMode.h>
#include <torch/csrc/autograd/custom_function.h>

#include <sectile/error.h>
#include <sectile/nn/checkpoint.h>
#include <sectile/nn/inference.h>

namespace sectile::nn {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

at::Tensor channel_sums(const at::Tensor& x) {  // [N, C, …] → double [C]
  std::vector<std::int64_t> others{0};
  for (std::int64_t axis = 2; axis < x.dim(); ++axis) others.push_back(axis);
  return x.sum(others).to(at::kDouble);
}

at::Tensor along_channels(const at::Tensor& per_channel, const at::Tensor& x) {  // [C] → [1, C, 1, …] as in x
  std::vector<std::int64_t> shape(static_cast<std::size_t>(x.dim()), 1);
  shape[1] = -1;
  return per_channel.view(shape);
}

// Statistics of all ranks' inputs. Sums of large values lose the digits that a variance needs, so values are centered
// before they are summed: first with this rank's own mean, which need not be exact, then with the mean of all.
struct Moments {
  at::Tensor centre, offset;  // [C], float or as the input: the overall mean in two parts, this rank's and the rest
  at::Tensor mean, variance, count;  // double [C], [C], [1]
  at::Tensor centred;                // input - mean, as `centre`
};

at::Tensor centred_about(const at::Tensor& input, const at::Tensor& centre, const at::Tensor& offset) {
  return (input - along_channels(centre, input)).sub_(along_channels(offset, input));
}

// In at least float32, even if the input is autocast: sums over a batch overflow half precision. Sums per channel are
// combined in float64.
Moments moments_across(const at::Tensor& input, const Ranks& ranks) {
  const auto channels = input.size(1);
  const auto type = input.scalar_type() == at::kDouble ? at::kDouble : at::kFloat;
  const auto options = input.options().dtype(at::kDouble);
  const auto own_count = input.numel() / channels;
  Moments of;
  of.centre = own_count == 0 ? at::zeros({channels}, options.dtype(type))
                             : (channel_sums(input.to(type)) / static_cast<double>(own_count)).to(type);
  of.centred = input - along_channels(of.centre, input);
  const auto own_sum = of.centre.to(at::kDouble) * own_count + channel_sums(of.centred);
  const auto sums = ranks.sum(at::cat({own_sum, at::full({1}, own_count, options)}));
  of.count = sums.slice(0, channels);
  of.mean = sums.slice(0, 0, channels) / of.count;
  of.offset = (of.mean - of.centre).to(type);
  of.centred.sub_(along_channels(of.offset, input));
  of.variance = ranks.sum(channel_sums(of.centred.square())) / of.count;
  return of;
}

struct HeldRanks : torch::CustomClassHolder {
  explicit HeldRanks(std::shared_ptr<const Ranks> held) : ranks(std::move(held)) {}
  const std::shared_ptr<const Ranks> ranks;
};

// Saves the input for the backward pass, and centers it again there.
struct NormAcrossRanks : torch::autograd::Function<NormAcrossRanks> {
  static at::Tensor forward(AutogradContext* context, const at::Tensor& input, const std::optional<at::Tensor>& weight,
                            const std::optional<at::Tensor>& bias, const Moments& of, double eps,
                            const std::shared_ptr<const Ranks>& ranks) {
    const auto inverse = (of.variance + eps).rsqrt();  // 1 / standard deviation
    context->save_for_backward({input, of.centre, of.offset, inverse, of.count, weight.value_or(at::Tensor())});
    context->saved_data["ranks"] = c10::IValue::make_capsule(c10::make_intrusive<HeldRanks>(ranks));
    const auto type = of.centred.scalar_type();
    const auto scale = weight ? inverse * *weight : inverse;
    auto output = of.centred.mul_(along_channels(scale.to(type), input));
    if (bias) output.add_(along_channels(bias->to(type), input));
    return output.to(input.scalar_type());
  }

  // With x' = (x - mean) / deviation and y = x' * weight + bias: the gradient of x is
  // weight / deviation * (dy - mean of dy - x' * mean of (dy * x')), both means over all ranks.
  static variable_list backward(AutogradContext* context, variable_list gradients) {
    const auto saved = context->get_saved_variables();
    const auto &input = saved[0], &centre = saved[1], &offset = saved[2], &inverse = saved[3], &count = saved[4],
               &weight = saved[5];
    const auto type = centre.scalar_type();
    const auto ranks = c10::static_intrusive_pointer_cast<HeldRanks>(context->saved_data["ranks"].toCapsule())->ranks;
    const auto gradient = gradients[0].to(type);
    auto centred = centred_about(input, centre, offset);
    const auto own = at::cat({channel_sums(gradient), channel_sums(gradient * centred)});
    const auto means = ranks->sum(own) / count;
    const auto channels = input.size(1);
    const auto of_mean = means.slice(0, 0, channels);
    const auto of_deviation = means.slice(0, channels) * inverse.square();
    centred.mul_(along_channels(of_deviation.to(type), input));
    const auto scale = weight.defined() ? inverse * weight : inverse;
    const auto of_input = (gradient - along_channels(of_mean.to(type), input))
                              .sub_(centred)
                              .mul_(along_channels(scale.to(type), input))
                              .to(input.scalar_type());
    if (!weight.defined()) return {of_input, {}, {}, {}, {}, {}};
    return {of_input,
            (own.slice(0, channels) * inverse).to(weight.scalar_type()),
            own.slice(0, 0, channels).to(weight.scalar_type()),
            {},
            {},
            {}};
  }
};

}  // namespace

BatchNorm::BatchNorm(const BatchNormOptions& wanted, std::shared_ptr<Conv> conv) : options(wanted) {
  const auto add = [&](const char* name, const at::Tensor& value, bool learns) {
    return learns ? register_parameter(name, value) : register_buffer(name, value);
  };
  if (options.affine) {
    weight = add("weight", at::ones({options.channels}), !options.frozen);
    bias = add("bias", at::zeros({options.channels}), !options.frozen);
  }
  running_mean = add("running_mean", at::zeros({options.channels}), false);
  running_var = add("running_var", at::ones({options.channels}), false);
  if (!options.frozen) num_batches_tracked = add("num_batches_tracked", at::zeros({}, at::kLong), false);
  if (conv) follows(std::move(conv));
}
BatchNorm::~BatchNorm() = default;

void BatchNorm::follows(std::shared_ptr<Conv> conv) {
  if (conv->options.out_channels != options.channels)
    throw PluginError("batch norm", "of " + std::to_string(options.channels) +
                                        " channels cannot follow a convolution to " +
                                        std::to_string(conv->options.out_channels));
  conv->expect_fold();
  conv_ = std::move(conv);
}

at::Tensor BatchNorm::forward(const at::Tensor& input) {
  if (folded_) return input;
  const bool learns = is_training() && !options.frozen;
  return activate(learns ? trained(input) : evaluated(input), options.activation);
}

at::Tensor BatchNorm::evaluated(const at::Tensor& input) const {
  return at::batch_norm(input, weight, bias, running_mean, running_var, /*training=*/false, options.momentum,
                        options.eps, at::globalContext().userEnabledCuDNN());
}

at::Tensor BatchNorm::trained(const at::Tensor& input) {
  if (!ranks_ && input.numel() == input.size(1))
    throw DataError("batch norm",
                    "training with one value per channel (one image, 1 x 1 features), which has no variance; train "
                    "with two or more images per batch, without an incomplete last one (\"drop_last\": true), or with "
                    "larger images");
  const bool updates = !recomputing();
  if (updates) num_batches_tracked.add_(1);
  if (ranks_) return trained_across_ranks(input);
  return at::batch_norm(input, weight, bias, updates ? running_mean : at::Tensor(),
                        updates ? running_var : at::Tensor(),
                        /*training=*/true, options.momentum, options.eps, at::globalContext().userEnabledCuDNN());
}

at::Tensor BatchNorm::trained_across_ranks(const at::Tensor& input) {
  Moments of;
  {
    const c10::AutoGradMode no_grad(false);
    of = moments_across(input.detach(), *ranks_);
    if (!recomputing()) {
      const auto unbiased = of.variance * of.count / (of.count - 1).clamp_min(1);  // undefined for one value in total
      running_mean.lerp_(of.mean.to(running_mean.scalar_type()), options.momentum);
      running_var.lerp_(unbiased.to(running_var.scalar_type()), options.momentum);
    }
  }
  const auto if_affine = [&](const at::Tensor& tensor) {
    return options.affine ? std::optional<at::Tensor>(tensor) : std::nullopt;
  };
  return NormAcrossRanks::apply(input, if_affine(weight), if_affine(bias), of, options.eps, ranks_);
}

// A single rank uses the statistics of its own batch, for which LibTorch's kernel is faster.
void BatchNorm::use(std::shared_ptr<const Ranks> ranks) {
  ranks_ = ranks && ranks->count() > 1 ? std::move(ranks) : nullptr;
}

void BatchNorm::prepare_for_inference(const InferencePlan& plan) {
  if (!conv_ || folded_) return;
  const auto input = plan.verify ? conv_->example_input() : at::Tensor();
  const auto before = plan.verify ? activate(evaluated(conv_->forward(input)), options.activation) : at::Tensor();
  auto scale = (running_var.to(at::kDouble) + options.eps).rsqrt();
  if (options.affine) scale = scale * weight.to(at::kDouble);
  auto shift = -running_mean.to(at::kDouble) * scale;
  if (options.affine) shift = shift + bias.to(at::kDouble);
  conv_->fold(scale, shift, options.activation, plan);
  folded_ = true;
  if (plan.verify)
    require_same("batch norm", before,
                 forward(conv_->forward(input.to(conv_->weight.device(), conv_->weight.scalar_type()))),
                 plan.precision);
}

}  // namespace sectile::nn
