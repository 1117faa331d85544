#include "sliding_window.h"

#include <algorithm>
#include <cmath>
#include <map>

#include <ATen/Functions.h>
#include <ATen/TensorOperators.h>

#include <sectile/error.h>

#include "../loading/batch.h"

namespace sectile {
namespace {

using Window = std::array<std::int64_t, 3>;  // depth, height, width

// As in MONAI's sliding_window_inference with mode="gaussian" (monai.data.utils.compute_importance_map).
constexpr double kSigmaScale = 0.125;  // relative to the window size
constexpr double kLeastWeight = 1e-3;

// Start positions of windows along one axis; the last window ends at the end of the axis.
std::vector<std::int64_t> starts(std::int64_t side, std::int64_t window, double overlap) {
  if (side <= window) return {0};
  const auto step = std::max<std::int64_t>(1, static_cast<std::int64_t>(static_cast<double>(window) * (1 - overlap)));
  std::vector<std::int64_t> positions;
  for (std::int64_t at = 0;; at += step) {
    positions.push_back(std::min(at, side - window));
    if (at + window >= side) return positions;
  }
}

// [1, 1, …] of the window's size.
at::Tensor weights(at::IntArrayRef size, PipelineSpec::Inference::Weighting weighting,
                   const at::TensorOptions& options) {
  auto all = at::ones({1, 1}, options);
  for (const auto side : size) {
    auto along = at::ones({side}, options);
    if (weighting == PipelineSpec::Inference::Weighting::gaussian) {
      const auto from_centre = at::arange(side, options) - static_cast<double>(side - 1) / 2;
      along = (from_centre.square() * (-0.5 / std::pow(kSigmaScale * static_cast<double>(side), 2))).exp();
    }
    all = all.unsqueeze(-1) * along;
  }
  return all.clamp_min(kLeastWeight);
}

// A weighted mean over windows, in one tensor of the padded images' size.
class Joined {
 public:
  // [N, C, …] of a window, at any resolution; at: its start. Only the part inside the images is kept.
  void add(const at::Tensor& scores, const at::Tensor& weight, at::IntArrayRef at, at::IntArrayRef whole) {
    const auto type = scores.scalar_type() == at::kDouble ? at::kDouble : at::kFloat;
    const auto size = weight.sizes().slice(2);
    auto part = scores.to(type);
    if (part.sizes().slice(2) != size)
      part =
          size.size() == 3 ? at::upsample_trilinear3d(part, size, false) : at::upsample_bilinear2d(part, size, false);
    if (!sum_.defined()) {
      auto shape = whole.vec();
      shape.insert(shape.begin(), {scores.size(0), scores.size(1)});
      sum_ = at::zeros(shape, part.options());
    }
    inside(sum_, at, size).addcmul_(inside_window(part, at, whole), inside_window(weight, at, whole));
  }
  at::Tensor mean(const at::Tensor& total) && { return std::move(sum_.div_(total)); }

  // The part of a full map that a window covers, and the part of a window that is not past the end.
  static at::Tensor inside(at::Tensor map, at::IntArrayRef at, at::IntArrayRef size) {
    for (std::size_t i = 0; i < at.size(); ++i) {
      const auto axis = static_cast<std::int64_t>(i) + 2;
      map = map.narrow(axis, at[i], std::min(size[i], map.size(axis) - at[i]));
    }
    return map;
  }
  static at::Tensor inside_window(at::Tensor part, at::IntArrayRef at, at::IntArrayRef whole) {
    for (std::size_t i = 0; i < at.size(); ++i) {
      const auto axis = static_cast<std::int64_t>(i) + 2;
      part = part.narrow(axis, 0, std::min(part.size(axis), whole[i] - at[i]));
    }
    return part;
  }

 private:
  at::Tensor sum_;
};

}  // namespace

Window window_size(const ModelTraits& traits, const PipelineSpec::Inference& inference, int dimensions) {
  Window size{traits.window.depth, traits.window.height, traits.window.width};
  if (const auto& own = inference.window) {
    size = {0, own->end()[-2], own->end()[-1]};
    if (own->size() == 3) size[0] = own->front();
  }
  if (dimensions == 2 && size[1] > 0) size[0] = 1;
  return size;
}

Outputs infer(Model& model, const Batch& batch, const PipelineSpec::Inference& inference,
              const std::vector<std::string>& named) {
  const int dimensions = static_cast<int>(batch.images.dim()) - 2;
  auto window = window_size(model.traits(), inference, dimensions);
  if (window[1] == 0) return model.forward(batch);
  const auto whole = batch.images.sizes().slice(2);
  if (window[0] == 0) window[0] = whole.front();
  const auto size = at::IntArrayRef(window).slice(static_cast<std::size_t>(3 - dimensions));
  if (size == whole) return model.forward(batch);
  std::array<std::vector<std::int64_t>, 3> positions{std::vector<std::int64_t>{0}};
  for (std::size_t i = 0; i < size.size(); ++i)
    positions[3 - size.size() + i] = starts(whole[i], size[i], inference.overlap);
  const auto weight = weights(size, inference.weighting, at::TensorOptions(batch.images.device()).dtype(at::kFloat));
  std::map<std::string, Joined> joined;  // the logits have no name
  auto shape = whole.vec();
  shape.insert(shape.begin(), {1, 1});
  const auto total = at::zeros(shape, weight.options());
  for (const auto z : positions[0])
    for (const auto y : positions[1])
      for (const auto x : positions[2]) {
        const Window begin{z, y, x};
        const auto at = at::IntArrayRef(begin).slice(static_cast<std::size_t>(3 - dimensions));
        const auto outputs = model.forward(window_of(batch, begin, window));
        if (!outputs.logits.defined())
          throw PluginError("/inference/window",
                            "this model returns no class scores, which sliding windows need; remove the window");
        joined[""].add(outputs.logits, weight, at, whole);
        for (const auto& name : named) joined[name].add(outputs.at(name), weight, at, whole);
        Joined::inside(total, at, size).add_(Joined::inside_window(weight, at, whole));
      }
  Outputs result;
  for (auto& [name, part] : joined) (name.empty() ? result.logits : result.named[name]) = std::move(part).mean(total);
  return result;
}

}  // namespace sectile
