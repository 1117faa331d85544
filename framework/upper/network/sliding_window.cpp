#include "sliding_window.h"

#include <algorithm>
#include <cmath>
#include <map>

#include <ATen/Functions.h>
#include <ATen/TensorOperators.h>

#include <sectile/error.h>

#include "../loading/batch.h"
#include "../loading/layout.h"

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

// The part of a map that a window covers, and the part of a window that is not past the end.
at::Tensor inside(at::Tensor map, at::IntArrayRef at, at::IntArrayRef size) {
  for (std::size_t i = 0; i < at.size(); ++i) {
    const auto axis = static_cast<std::int64_t>(i) + 2;
    map = map.narrow(axis, at[i], std::min(size[i], map.size(axis) - at[i]));
  }
  return map;
}
at::Tensor inside_window(at::Tensor part, at::IntArrayRef at, at::IntArrayRef whole) {
  for (std::size_t i = 0; i < at.size(); ++i) {
    const auto axis = static_cast<std::int64_t>(i) + 2;
    part = part.narrow(axis, 0, std::min(part.size(axis), whole[i] - at[i]));
  }
  return part;
}

// Weighted sums over windows in a band of the padded images, as high as a window and of their full width.
class BandSum {
 public:
  explicit BandSum(std::vector<std::int64_t> shape) : shape_(std::move(shape)) {}  // […] of the band

  // [N, C, …] of a window; at: its start in the band, which is 0 along the first axis.
  void add(const at::Tensor& part, at::IntArrayRef at, at::IntArrayRef size, const at::Tensor& weight) {
    reserve(part);
    inside(sum_, at, size).addcmul_(part, weight);
  }
  void add(const at::Tensor& weight, at::IntArrayRef at, at::IntArrayRef size) {
    reserve(weight);
    inside(sum_, at, size).add_(weight);
  }
  // The mean of the first rows, in the band's memory.
  at::Tensor mean(const BandSum& total, std::int64_t rows) {
    return sum_.narrow(2, 0, rows).div_(total.sum_.narrow(2, 0, rows));
  }
  // Moves the band on by so many rows.
  void advance(std::int64_t rows) {
    const auto kept = sum_.size(2) - rows;
    auto rest = sum_.narrow(2, rows, kept);
    if (kept > rows) rest = rest.clone();  // both parts overlap
    sum_.narrow(2, 0, kept).copy_(rest);
    sum_.narrow(2, kept, rows).zero_();
  }

 private:
  void reserve(const at::Tensor& like) {
    if (sum_.defined()) return;
    auto shape = shape_;
    shape.insert(shape.begin(), {like.size(0), like.size(1)});
    sum_ = at::zeros(shape, like.options());
  }
  std::vector<std::int64_t> shape_;
  at::Tensor sum_;
};

// A window's scores at its size, in float32 or float64.
at::Tensor at_size(const at::Tensor& scores, at::IntArrayRef size) {
  return interpolate(scores.to(scores.scalar_type() == at::kDouble ? at::kDouble : at::kFloat), size);
}

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

std::optional<Window> windows_of(const Model& model, const Batch& batch, const PipelineSpec::Inference& inference) {
  const int dimensions = static_cast<int>(batch.images.dim()) - 2;
  auto window = window_size(model.traits(), inference, dimensions);
  if (window[1] == 0) return {};
  const auto whole = batch.images.sizes().slice(2);
  if (window[0] == 0) window[0] = whole.front();
  if (at::IntArrayRef(window).slice(static_cast<std::size_t>(3 - dimensions)) == whole) return {};
  return window;
}

void infer_bands(Model& model, const Batch& batch, const Window& window, const PipelineSpec::Inference& inference,
                 const std::vector<std::string>& named, const UseBand& use) {
  const auto whole = batch.images.sizes().slice(2);
  const auto axes = whole.size();
  const auto size = at::IntArrayRef(window).slice(3 - axes);
  std::array<std::vector<std::int64_t>, 3> positions{{{0}, {0}, {0}}};
  for (std::size_t i = 0; i < axes; ++i) positions[i] = starts(whole[i], size[i], inference.overlap);
  const auto weight = weights(size, inference.weighting, at::TensorOptions(batch.images.device()).dtype(at::kFloat));
  auto shape = whole.vec();
  shape[0] = std::min(size[0], whole[0]);
  std::map<std::string, BandSum> sums;
  BandSum total(shape);
  const auto add_window = [&](const Window& begin) {  // its first `axes` numbers
    Window corner{0, 0, 0};
    std::copy_n(begin.begin(), axes, corner.begin() + static_cast<std::ptrdiff_t>(3 - axes));
    const auto outputs = model.forward(window_of(batch, corner, window));
    if (!outputs.logits.defined())
      throw PluginError("/inference/window",
                        "this model returns no class scores, which sliding windows need; remove the window");
    const auto at = at::IntArrayRef(begin.data(), axes);
    auto in_band = at.vec();
    in_band[0] = 0;
    const auto add = [&](const std::string& name, const at::Tensor& scores) {
      sums.try_emplace(name, shape)
          .first->second.add(inside_window(at_size(scores, size), at, whole), in_band, size,
                             inside_window(weight, at, whole));
    };
    add(kLogits, outputs.logits);
    for (const auto& name : named)
      if (name != kLogits) add(name, outputs.at(name));
    total.add(inside_window(weight, at, whole), in_band, size);
  };
  for (std::size_t i = 0; i < positions[0].size(); ++i) {
    const auto first = positions[0][i];
    for (const auto second : positions[1])
      for (const auto third : positions[2]) add_window({first, second, third});
    const auto done = (i + 1 < positions[0].size() ? positions[0][i + 1] : whole[0]) - first;
    Outputs band;
    for (auto& [name, sum] : sums) (name == kLogits ? band.logits : band.named[name]) = sum.mean(total, done);
    use(std::move(band), first);
    if (first + done == whole[0]) return;
    for (auto& [name, sum] : sums) sum.advance(done);
    total.advance(done);
  }
}

Outputs infer(Model& model, const Batch& batch, const PipelineSpec::Inference& inference,
              const std::vector<std::string>& named) {
  const auto window = windows_of(model, batch, inference);
  if (!window) return model.forward(batch);
  Outputs result;
  const auto rows = batch.images.size(2);
  infer_bands(model, batch, *window, inference, named, [&](const Outputs& band, std::int64_t first) {
    put_rows(result.logits, band.logits, 2, first, rows);
    for (const auto& [name, scores] : band.named) put_rows(result.named[name], scores, 2, first, rows);
  });
  return result;
}

}  // namespace sectile
