#include <sectile/nn/linear.h>

#include <cmath>

#include <ATen/ops/arange.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/linear.h>
#include <torch/nn/init.h>

#include <sectile/nn/inference.h>

namespace sectile::nn {

Linear::Linear(int in_features, int out_features, bool has_bias) {
  weight = register_parameter("weight", at::empty({out_features, in_features}));
  torch::nn::init::kaiming_uniform_(weight, std::sqrt(5.0));
  if (!has_bias) return;
  bias = register_parameter("bias", at::empty({out_features}));
  const double bound = 1 / std::sqrt(static_cast<double>(in_features));
  torch::nn::init::uniform_(bias, -bound, bound);
}
Linear::~Linear() = default;

at::Tensor Linear::forward(const at::Tensor& input) const { return at::linear(input, weight, bias); }

void Linear::prepare_for_inference(const InferencePlan& plan) {
  const auto input = plan.verify ? at::arange(2 * weight.size(1), weight.options().dtype(at::kDouble))
                                       .sin_()
                                       .view({2, -1})
                                       .to(weight.scalar_type())
                                 : at::Tensor();
  const auto before = plan.verify ? forward(input) : at::Tensor();
  weight.set_data(planned(weight, plan));
  if (bias.defined()) bias.set_data(planned(bias, plan));
  if (plan.verify)
    require_same("linear", before, forward(input.to(weight.device(), weight.scalar_type())), plan.precision);
}

}  // namespace sectile::nn
