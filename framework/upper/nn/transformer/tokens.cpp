#include <sectile/nn/transformer/tokens.h>

namespace sectile::nn {

at::Tensor tokens_of(const at::Tensor& map) { return map.flatten(2).transpose(1, 2).contiguous(); }

at::Tensor map_of(const at::Tensor& tokens, std::int64_t rows, std::int64_t columns) {
  return tokens.transpose(1, 2).unflatten(2, {rows, columns});
}

}  // namespace sectile::nn
