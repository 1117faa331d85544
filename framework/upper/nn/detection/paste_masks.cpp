#include <sectile/nn/detection/paste_masks.h>

#include <string>

#include <ATen/Parallel.h>

#include <sectile/error.h>

#include "../../../cuda/paste_masks.h"
#include "../cuda/detection_gpu.h"
#include "column_runs.h"

namespace sectile::nn {

std::vector<Rle> paste_masks(const at::Tensor& masks, const at::Tensor& boxes, const cv::Size& image,
                             double threshold) {
  if (masks.dim() != 3 || masks.size(1) != masks.size(2) || boxes.dim() != 2 || boxes.size(1) != 4 ||
      boxes.size(0) != masks.size(0))
    throw PluginError("paste_masks", "takes masks [K, M, M] and boxes [K, 4]");
  if (image.width < 0 || image.height < 0)
    throw PluginError("paste_masks", "was given an image of " + std::to_string(image.width) + " x " +
                                         std::to_string(image.height) + " pixels (width x height)");
  const auto to_floats = [&](const at::Tensor& of) { return of.detach().to(masks.device(), at::kFloat).contiguous(); };
  const auto of_masks = to_floats(masks), of_boxes = to_floats(boxes);
  const auto count = masks.size(0), side = masks.size(1);
  if (masks.is_cuda() && count > 0 && !image.empty())
    return paste_on_gpu(gpu_of(of_masks), of_masks, of_boxes, image, threshold);
  cuda::PasteMasks call{};
  call.masks = of_masks.const_data_ptr<float>();
  call.boxes = of_boxes.const_data_ptr<float>();
  call.count = count;
  call.side = side;
  call.height = image.height;
  call.width = image.width;
  call.threshold = threshold;
  std::vector<Rle> pasted(static_cast<std::size_t>(count));
  at::parallel_for(0, count, 1, [&](std::int64_t begin, std::int64_t end) {
    for (auto i = begin; i < end; ++i) {
      ColumnRuns runs(image);
      const auto columns = cuda::paste_columns(call, i);
      for (auto x = columns.first; x < columns.last; ++x)
        cuda::PasteColumn(call, i, x).each_run([&](std::int64_t top, std::int64_t bottom) {
          runs.add(x, top, bottom);
        });
      pasted[static_cast<std::size_t>(i)] = {image, runs.take()};
    }
  });
  return pasted;
}

}  // namespace sectile::nn
