#include <sectile/nn/transformer/layer_norm.h>

#include <ATen/ops/arange.h>
#include <ATen/ops/layer_norm.h>
#include <ATen/ops/ones.h>
#include <ATen/ops/zeros.h>
#include <c10/core/impl/LocalDispatchKeySet.h>

#include <sectile/nn/inference.h>

namespace sectile::nn {

LayerNorm::LayerNorm(int channels, double its_eps) : eps(its_eps) {
  weight = register_parameter("weight", at::ones({channels}));
  bias = register_parameter("bias", at::zeros({channels}));
}
LayerNorm::~LayerNorm() = default;

at::Tensor LayerNorm::forward(const at::Tensor& input) const {
  if (!prepared_) return at::layer_norm(input, weight.sizes(), weight, bias, eps);
  const c10::impl::ExcludeDispatchKeyGuard no_autocast(c10::autocast_dispatch_keyset);
  return at::layer_norm(input.to(weight.scalar_type()), weight.sizes(), weight, bias, eps);
}

void LayerNorm::prepare_for_inference(const InferencePlan& plan) {
  const auto input = plan.verify ? at::arange(4 * weight.size(0), weight.options().dtype(at::kDouble))
                                       .sin_()
                                       .view({4, -1})
                                       .to(weight.scalar_type())
                                 : at::Tensor();
  const auto before = plan.verify ? forward(input) : at::Tensor();
  weight.set_data(planned(weight, plan));
  bias.set_data(planned(bias, plan));
  prepared_ = true;
  if (plan.verify) require_same("layer norm", before, forward(input.to(weight.device())), plan.precision);
}

}  // namespace sectile::nn
