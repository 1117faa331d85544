#include <sectile/nn/stochastic_depth.h>

#include <ATen/ops/empty.h>

namespace sectile::nn {

at::Tensor stochastic_depth(const at::Tensor& branch, double rate, bool training) {
  if (!training || rate <= 0) return branch;
  std::vector<std::int64_t> per_image(static_cast<std::size_t>(branch.dim()), 1);
  per_image[0] = branch.size(0);
  const double kept = 1 - rate;
  return branch * at::empty(per_image, branch.options()).bernoulli_(kept).div_(kept);
}

}  // namespace sectile::nn
