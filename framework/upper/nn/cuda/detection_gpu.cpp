#include "detection_gpu.h"

#include <algorithm>

#include <ATen/ops/arange.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/from_blob.h>
#include <ATen/ops/full.h>
#include <ATen/ops/zeros.h>
#include <c10/core/DeviceGuard.h>

#include "../detection/column_runs.h"

namespace sectile::nn {
namespace {

cuda::Type type_on_gpu(const at::Tensor& tensor) {
  return tensor.scalar_type() == at::kDouble     ? cuda::Type::float64
         : tensor.scalar_type() == at::kBFloat16 ? cuda::Type::bfloat16
                                                 : cuda::Type::float32;
}

// use(call) for as many levels at a time as one call takes.
template <class Use>
void each_roi_call(const std::vector<at::Tensor>& levels, const GpuRegions& regions, const at::Tensor& output,
                   const Use& use) {
  cuda::RoiAlign call{};
  call.type = type_on_gpu(output);
  call.boxes = regions.boxes.const_data_ptr();
  call.places = regions.places.const_data_ptr<std::int32_t>();
  call.regions = output.size(0);
  call.channels = output.size(1);
  call.bins = regions.options.output_size;
  call.sampling_ratio = regions.options.sampling_ratio;
  call.aligned = regions.options.aligned;
  call.output = output.data_ptr();
  const auto count = static_cast<int>(levels.size());
  for (call.first_level = 0; call.first_level < count; call.first_level += cuda::kRoiLevels) {
    call.level_count = std::min(cuda::kRoiLevels, count - call.first_level);
    for (int i = 0; i < call.level_count; ++i) {
      const auto index = static_cast<std::size_t>(call.first_level + i);
      const auto& level = levels[index];
      call.levels[i] = {level.data_ptr(), regions.scales[index], level.size(0), static_cast<int>(level.size(2)),
                        static_cast<int>(level.size(3))};
    }
    use(call);
  }
}

}  // namespace

at::Tensor places_on(const at::Device& device, const std::vector<RoiPlace>& places) {
  static_assert(sizeof(RoiPlace) == 2 * sizeof(std::int32_t));
  auto* const numbers = const_cast<RoiPlace*>(places.data());  // from_blob takes no const pointer
  return at::from_blob(numbers, {static_cast<std::int64_t>(places.size()), 2}, at::kInt)
      .to(device, /*non_blocking=*/false, /*copy=*/true);
}

void average_on_gpu(const Gpu& gpu, const std::vector<at::Tensor>& levels, const GpuRegions& regions,
                    const at::Tensor& output) {
  const c10::DeviceGuard guard(output.device());
  each_roi_call(levels, regions, output,
                [&](const cuda::RoiAlign& call) { gpu.check(gpu.kernels.roi_align(call, gpu.queue), "roi_align"); });
}

void gradient_on_gpu(const Gpu& gpu, const at::Tensor& output, const GpuRegions& regions,
                     const std::vector<at::Tensor>& levels) {
  const c10::DeviceGuard guard(output.device());
  each_roi_call(levels, regions, output, [&](const cuda::RoiAlign& call) {
    gpu.check(gpu.kernels.roi_align_backward(call, gpu.queue), "roi_align");
  });
}

at::Tensor nms_on_gpu(const Gpu& gpu, const at::Tensor& boxes, const at::Tensor& scores, const at::Tensor& classes,
                      double iou_threshold) {
  const c10::DeviceGuard guard(boxes.device());
  const auto order = std::get<1>(scores.sort(/*stable=*/true, /*dim=*/0, /*descending=*/true));
  const auto index = order.options();
  // Positions in `order`, class by class.
  const auto [of_class, position] =
      classes.defined() ? classes.index_select(0, order).sort(/*stable=*/true, /*dim=*/0, /*descending=*/false)
                        : std::tuple(at::zeros(order.sizes(), index), at::arange(order.size(0), index));
  const auto grouped = boxes.index_select(0, order.index_select(0, position));
  const auto stays = at::full(order.sizes(), 1, index.dtype(at::kByte));
  const auto kept = at::empty(order.sizes(), index.dtype(at::kBool));
  cuda::Nms call{};
  call.type = type_on_gpu(boxes);
  call.boxes = grouped.const_data_ptr();
  call.classes = of_class.const_data_ptr<std::int64_t>();
  call.position = position.const_data_ptr<std::int64_t>();
  call.count = boxes.size(0);
  call.threshold = iou_threshold;
  call.stays = stays.mutable_data_ptr<std::uint8_t>();
  call.kept = static_cast<std::uint8_t*>(kept.mutable_data_ptr());
  gpu.check(gpu.kernels.nms(call, gpu.queue), "nms");
  return order.masked_select(kept);
}

std::vector<Rle> paste_on_gpu(const Gpu& gpu, const at::Tensor& masks, const at::Tensor& boxes, const cv::Size& image,
                              double threshold) {
  const c10::DeviceGuard guard(masks.device());
  const auto columns = masks.size(0) * image.width;
  const auto counts = at::empty({columns}, masks.options().dtype(at::kInt));
  cuda::PasteMasks call{};
  call.masks = masks.const_data_ptr<float>();
  call.boxes = boxes.const_data_ptr<float>();
  call.count = masks.size(0);
  call.side = masks.size(1);
  call.height = image.height;
  call.width = image.width;
  call.threshold = threshold;
  call.counts = counts.mutable_data_ptr<std::int32_t>();
  gpu.check(gpu.kernels.count_runs(call, gpu.queue), "paste_masks");
  const auto ends = counts.cumsum(0, at::kLong);
  const auto of_masks = ends.view({masks.size(0), image.width}).select(1, image.width - 1).contiguous().to(at::kCPU);
  const auto* const end_of_mask = of_masks.const_data_ptr<std::int64_t>();
  const auto runs = at::empty({end_of_mask[masks.size(0) - 1], 2}, ends.options());
  call.ends = ends.const_data_ptr<std::int64_t>();
  call.runs = runs.mutable_data_ptr<std::int64_t>();
  gpu.check(gpu.kernels.write_runs(call, gpu.queue), "paste_masks");
  const auto on_host = runs.to(at::kCPU);
  const auto* const run = on_host.const_data_ptr<std::int64_t>();
  std::vector<Rle> pasted;
  std::int64_t next = 0;
  for (std::int64_t mask = 0; mask < masks.size(0); ++mask) {
    ColumnRuns of_mask(image);
    for (; next < end_of_mask[mask]; ++next) of_mask.add(run[2 * next], run[2 * next + 1]);
    pasted.push_back({image, of_mask.take()});
  }
  return pasted;
}

}  // namespace sectile::nn
