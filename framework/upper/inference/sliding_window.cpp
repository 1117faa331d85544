#include "sliding_window.h"

#include <ATen/Functions.h>
#include <ATen/TensorOperators.h>

#include <sectile/error.h>

namespace sectile {
namespace {

// Where windows begin along one side, the last one flush with its end.
std::vector<std::int64_t> starts(std::int64_t side, std::int64_t window, double overlap) {
  const auto step = std::max<std::int64_t>(1, static_cast<std::int64_t>(static_cast<double>(window) * (1 - overlap)));
  std::vector<std::int64_t> positions;
  for (std::int64_t at = 0;; at += step) {
    positions.push_back(std::min(at, side - window));
    if (at + window >= side) return positions;
  }
}

}  // namespace

Outputs infer(Model& model, const Batch& batch, const PipelineSpec::Inference& inference) {
  const auto own = model.traits().window;
  const auto window = inference.window.value_or(std::array<int, 3>{own.depth, own.height, own.width});
  if (window[1] == 0) return model.forward(batch);
  const bool volume = batch.images.dim() == 5;
  const auto sides = batch.images.sizes().slice(2);
  std::vector<std::int64_t> size(volume ? window.begin() : window.begin() + 1, window.end());
  std::vector<std::vector<std::int64_t>> positions;
  for (std::size_t d = 0; d < size.size(); ++d) {
    size[d] = std::min(size[d], sides[d]);
    positions.push_back(starts(sides[d], size[d], inference.overlap));
  }
  if (!volume) positions.insert(positions.begin(), {0});
  at::Tensor sum, count;
  for (const auto z : positions[0])
    for (const auto y : positions[1])
      for (const auto x : positions[2]) {
        const auto cut = [&](at::Tensor tensor) {
          if (volume) tensor = tensor.narrow(2, z, size[0]);
          return tensor.narrow(-2, y, size.end()[-2]).narrow(-1, x, size.end()[-1]);
        };
        Batch part = batch;
        part.images = cut(batch.images);
        const auto logits = model.forward(part).logits;
        if (!logits.defined())
          throw PluginError("/inference/window", "this model gives no class scores to join; leave the window out");
        if (!sum.defined()) {
          auto shape = batch.images.sizes().vec();
          shape[1] = logits.size(1);
          sum = at::zeros(shape, logits.options().dtype(at::kFloat));
          shape[1] = 1;
          count = at::zeros(shape, sum.options());
        }
        cut(sum).add_(volume ? at::upsample_trilinear3d(logits, size, false)
                             : at::upsample_bilinear2d(logits, size, false));
        cut(count).add_(1);
      }
  Outputs joined;
  joined.logits = sum / count;
  return joined;
}

}  // namespace sectile
