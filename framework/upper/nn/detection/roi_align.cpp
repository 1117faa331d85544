#include <sectile/nn/detection/roi_align.h>

#include <algorithm>
#include <cmath>
#include <string>

#include <ATen/Parallel.h>
#include <ATen/ops/empty.h>
#include <torch/csrc/autograd/function.h>
#include <torch/csrc/autograd/functions/utils.h>
#include <torch/csrc/autograd/variable.h>

#include <sectile/error.h>

#include "../cpu/roi_samples.h"
#include "../cuda/detection_gpu.h"

namespace sectile::nn {
namespace {

// Boxes, in the type of the sums, and what is known of the levels.
struct Regions {
  at::Tensor boxes;  // float32 or float64 [K, 4], contiguous, on the features' device
  std::vector<RoiPlace> places;
  at::Tensor places_on_gpu;  // for features there
  std::vector<double> scales;
  std::vector<std::vector<std::int64_t>> sizes;  // of each level: [N, C, H, W]
  RoiAlignOptions options;

  GpuRegions on_gpu() const { return {boxes, places_on_gpu, scales, options}; }
  const std::vector<std::int64_t>& size(std::size_t region) const {
    return sizes[static_cast<std::size_t>(places[region].level)];
  }
  // Where the image of a region begins, in numbers.
  std::int64_t image_offset(std::size_t region) const {
    const auto& of_level = size(region);
    return places[region].image * of_level[1] * of_level[2] * of_level[3];
  }
  template <class Number>
  RoiSamples<Number> samples(std::size_t region) const {
    const auto* const box = boxes.const_data_ptr<Number>() + 4 * region;
    const auto scale = static_cast<Number>(scales[static_cast<std::size_t>(places[region].level)]);
    const auto offset = static_cast<Number>(options.aligned ? 0.5 : 0);
    const Number left = box[0] * scale - offset, top = box[1] * scale - offset;
    Number width = box[2] * scale - offset - left, height = box[3] * scale - offset - top;
    if (!options.aligned) width = std::max(width, Number(1)), height = std::max(height, Number(1));
    const auto& of_level = size(region);
    return {{top, height, of_level[2], options.output_size, options.sampling_ratio},
            {left, width, of_level[3], options.output_size, options.sampling_ratio},
            of_level[3],
            options.output_size};
  }
};

template <class Feature, class Number>
void forward_all(const std::vector<at::Tensor>& levels, const Regions& regions, const at::Tensor& output) {
  const auto channels = output.size(1), step = channels * output.size(2) * output.size(3);
  auto* const out = output.mutable_data_ptr<Feature>();
  at::parallel_for(0, output.size(0), 1, [&](std::int64_t begin, std::int64_t end) {
    for (auto k = static_cast<std::size_t>(begin); k < static_cast<std::size_t>(end); ++k) {
      const auto& level = levels[static_cast<std::size_t>(regions.places[k].level)];
      average_samples(regions.samples<Number>(k), level.const_data_ptr<Feature>() + regions.image_offset(k), channels,
                      out + static_cast<std::int64_t>(k) * step);
    }
  });
}

// Threads divide the channels: each number is summed in the order of the regions, however many threads there are.
template <class Feature, class Number>
void backward_all(const at::Tensor& gradient, const Regions& regions, const std::vector<at::Tensor>& sums) {
  const auto channels = gradient.size(1), step = channels * gradient.size(2) * gradient.size(3);
  const auto* const of_output = gradient.const_data_ptr<Feature>();
  constexpr std::int64_t kLeast = 32;
  at::parallel_for(0, channels, kLeast, [&](std::int64_t begin, std::int64_t end) {
    for (std::size_t k = 0; k < regions.places.size(); ++k) {
      const auto& sum = sums[static_cast<std::size_t>(regions.places[k].level)];
      add_to_samples(regions.samples<Number>(k), of_output + static_cast<std::int64_t>(k) * step, channels, begin, end,
                     sum.mutable_data_ptr<Number>() + regions.image_offset(k));
    }
  });
}

struct RoiAlignBackward final : torch::autograd::Node {
  Regions regions;
  at::ScalarType type = at::kFloat;

  torch::autograd::variable_list apply(torch::autograd::variable_list&& gradients) override {
    torch::autograd::variable_list results(regions.sizes.size());
    if (!gradients[0].defined()) return results;
    if (at::GradMode::is_enabled() && gradients[0].requires_grad())
      throw PluginError("roi_align", "has no second derivative: call backward without create_graph");
    const auto gradient = gradients[0].to(type).contiguous(at::MemoryFormat::ChannelsLast);
    const auto options = gradient.options().memory_format(at::MemoryFormat::ChannelsLast);
    std::vector<at::Tensor> sums;
    if (gradient.is_cuda()) {
      for (const auto& size : regions.sizes) sums.push_back(at::empty(size, options));
      gradient_on_gpu(gpu_of(gradient), gradient, regions.on_gpu(), sums);
      return sums;
    }
    const auto sum_type = type == at::kDouble ? at::kDouble : at::kFloat;
    for (const auto& size : regions.sizes) sums.push_back(at::empty(size, options.dtype(sum_type)).zero_());
    if (type == at::kDouble)
      backward_all<double, double>(gradient, regions, sums);
    else if (type == at::kBFloat16)
      backward_all<c10::BFloat16, float>(gradient, regions, sums);
    else
      backward_all<float, float>(gradient, regions, sums);
    for (std::size_t i = 0; i < sums.size(); ++i)
      if (should_compute_output(i)) results[i] = sums[i].to(type);
    return results;
  }
  std::string name() const override { return "RoiAlignBackward"; }
};

void check(const std::vector<at::Tensor>& features, const std::vector<double>& scales, const at::Tensor& boxes,
           const std::vector<RoiPlace>& places, const RoiAlignOptions& options) {
  const auto fail = [](const std::string& message) { throw PluginError("roi_align", message); };
  if (features.empty() || scales.size() != features.size()) fail("takes a scale for each of one or more levels");
  if (boxes.dim() != 2 || boxes.size(1) != 4 || static_cast<std::size_t>(boxes.size(0)) != places.size())
    fail("takes boxes [K, 4] and K places");
  if (options.output_size < 1) fail("takes an output of one or more bins");
  if (features.front().is_cuda() && options.output_size > cuda::kMostRoiBins)
    fail("takes an output of at most " + std::to_string(cuda::kMostRoiBins) + " bins on a GPU");
  if (options.sampling_ratio < 0 || options.sampling_ratio > kMostSamples)
    fail("takes 0 to " + std::to_string(kMostSamples) + " samples per bin and axis");
  for (const double scale : scales)
    if (!(scale > 0 && std::isfinite(scale))) fail("takes scales above 0");
  const auto type = features.front().scalar_type();
  if (type != at::kFloat && type != at::kDouble && type != at::kBFloat16)
    fail("takes features of float32, float64 or bfloat16");
  for (const auto& level : features)
    if (level.dim() != 4 || level.scalar_type() != type || level.size(1) != features.front().size(1) ||
        level.device() != features.front().device())
      fail("takes features [N, C, H, W] of one type, on one device and of the same channels");
    else if (level.size(2) == 0 || level.size(3) == 0)
      fail("takes features of one or more pixels");
  for (const auto& [image, level] : places)
    if (level < 0 || static_cast<std::size_t>(level) >= features.size() || image < 0 ||
        image >= features[static_cast<std::size_t>(level)].size(0))
      fail("was given a box of image " + std::to_string(image) + " and level " + std::to_string(level) +
           ", which do not exist");
}

template <class Number>
void check_finite(const at::Tensor& boxes) {
  const auto* const numbers = boxes.const_data_ptr<Number>();
  for (std::int64_t i = 0; i < boxes.numel(); ++i)
    if (!std::isfinite(numbers[i]))
      throw PluginError("roi_align", "was given box " + std::to_string(i / 4) + " with the coordinate " +
                                         std::to_string(numbers[i]) + "; a finite number is expected");
}

}  // namespace

at::Tensor roi_align(const std::vector<at::Tensor>& features, const std::vector<double>& scales,
                     const at::Tensor& boxes, const std::vector<RoiPlace>& places, const RoiAlignOptions& options) {
  check(features, scales, boxes, places, options);
  const auto type = features.front().scalar_type();
  const auto device = features.front().device();
  Regions regions{.boxes = boxes.detach().to(device, type == at::kDouble ? at::kDouble : at::kFloat).contiguous(),
                  .places = places,
                  .places_on_gpu = device.is_cuda() ? places_on(device, places) : at::Tensor(),
                  .scales = scales,
                  .sizes = {},
                  .options = options};
  if (!device.is_cuda() && type == at::kDouble)
    check_finite<double>(regions.boxes);
  else if (!device.is_cuda())
    check_finite<float>(regions.boxes);
  std::vector<at::Tensor> levels;
  for (const auto& level : features) {
    levels.push_back(level.detach().contiguous(at::MemoryFormat::ChannelsLast));
    regions.sizes.push_back(level.sizes().vec());
  }
  auto output = at::empty({boxes.size(0), levels.front().size(1), options.output_size, options.output_size},
                          levels.front().options().memory_format(at::MemoryFormat::ChannelsLast));
  if (device.is_cuda())
    average_on_gpu(gpu_of(output), levels, regions.on_gpu(), output);
  else if (type == at::kDouble)
    forward_all<double, double>(levels, regions, output);
  else if (type == at::kBFloat16)
    forward_all<c10::BFloat16, float>(levels, regions, output);
  else
    forward_all<float, float>(levels, regions, output);
  if (torch::autograd::compute_requires_grad(features)) {
    std::shared_ptr<RoiAlignBackward> backward(new RoiAlignBackward, torch::autograd::deleteNode);
    backward->regions = std::move(regions);
    backward->type = type;
    backward->set_next_edges(torch::autograd::collect_next_edges(features));
    torch::autograd::set_history(output, backward);
  }
  return output;
}

}  // namespace sectile::nn
