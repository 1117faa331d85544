#include <sectile/nn/group_norm.h>

#include <ATen/ops/arange.h>
#include <ATen/ops/group_norm.h>
#include <ATen/ops/ones.h>
#include <ATen/ops/zeros.h>
#include <c10/core/impl/LocalDispatchKeySet.h>

#include <sectile/error.h>
#include <sectile/nn/inference.h>

namespace sectile::nn {

GroupNorm::GroupNorm(const GroupNormOptions& wanted) : options(wanted) {
  if (options.groups < 1 || options.channels < 1 || options.channels % options.groups != 0)
    throw PluginError("group norm", "cannot divide " + std::to_string(options.channels) + " channels into " +
                                        std::to_string(options.groups) + " groups; give a multiple");
  weight = register_parameter("weight", at::ones({options.channels}));
  bias = register_parameter("bias", at::zeros({options.channels}));
}
GroupNorm::~GroupNorm() = default;

at::Tensor GroupNorm::forward(const at::Tensor& input) const {
  if (!prepared_) return activate(at::group_norm(input, options.groups, weight, bias, options.eps), options.activation);
  const c10::impl::ExcludeDispatchKeyGuard no_autocast(c10::autocast_dispatch_keyset);
  return activate(at::group_norm(input.to(weight.scalar_type()), options.groups, weight, bias, options.eps),
                  options.activation);
}

void GroupNorm::prepare_for_inference(const InferencePlan& plan) {
  const auto input = plan.verify ? at::arange(2 * options.channels * 4, weight.options().dtype(at::kDouble))
                                       .sin_()
                                       .view({2, options.channels, 2, 2})
                                       .to(weight.scalar_type())
                                 : at::Tensor();
  const auto before = plan.verify ? forward(input) : at::Tensor();
  weight.set_data(planned(weight, plan));
  bias.set_data(planned(bias, plan));
  prepared_ = true;
  if (plan.verify) require_same("group norm", before, forward(input.to(weight.device())), plan.precision);
}

}  // namespace sectile::nn
