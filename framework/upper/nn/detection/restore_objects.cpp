#include <sectile/nn/detection/restore_objects.h>

#include <ATen/ops/empty.h>
#include <opencv2/core.hpp>

#include <sectile/error.h>
#include <sectile/nn/detection/paste_masks.h>
#include <sectile/transform.h>

namespace sectile::nn {
namespace {

// Whether columns and rows of the image are those of the file, in the same direction.
bool keeps_axes(const Geometry& geometry) {
  const auto& change = geometry.to_original;
  return change(0, 1) == 0 && change(1, 0) == 0 && change(0, 0) > 0 && change(1, 1) > 0;
}

cv::Size size_of(const Extent& extent) { return {extent.width, extent.height}; }

// Boxes [K, 4] of an image whose axes are the file's, there; also beyond its edges, since masks are of whole boxes.
at::Tensor in_file(const at::Tensor& boxes, const cv::Matx44d& to_original) {
  auto moved = at::empty(boxes.sizes(), at::kFloat);
  const auto* const from = boxes.const_data_ptr<float>();
  auto* const to = moved.mutable_data_ptr<float>();
  for (std::int64_t i = 0; i < boxes.numel(); ++i) {
    const int axis = static_cast<int>(i % 2);
    to[i] = static_cast<float>(to_original(axis, axis) * double{from[i]} + to_original(axis, 3));
  }
  return moved;
}

void add_masks(std::vector<Rle> masks, std::vector<Instance>& objects) {
  for (std::size_t i = 0; i < objects.size(); ++i) objects[i].mask = Mask(std::move(masks[i]));
}

// Masks of the image, moved to the file as the masks of a sample are.
void move_masks(std::vector<Rle> masks, const Batch& batch, std::size_t index, std::vector<Instance>& objects) {
  Warp back;
  back.to_input = batch.truth[index].geometry.to_original.inv();
  back.size = batch.truth[index].geometry.original;
  for (std::size_t i = 0; i < objects.size(); ++i) {
    Sample carrier;
    carrier.geometry.original = batch.sizes[index];
    carrier.instances.push_back({.mask = Mask(std::move(masks[i]))});
    apply(back, carrier);
    objects[i].mask = carrier.instances.empty()
                          ? Mask(Rle{size_of(back.size), {static_cast<std::uint32_t>(size_of(back.size).area())}})
                          : carrier.instances.front().mask;
  }
}

}  // namespace

std::vector<Instance> restore_objects(const FoundObjects& found, const Batch& batch, std::size_t index) {
  const auto& geometry = batch.truth[index].geometry;
  if (!geometry.invertible)
    throw DataError(batch.truth[index].id,
                    "was changed by a transform that cannot be inverted; use that transform for training only");
  const auto boxes = found.boxes.to(at::kCPU, at::kFloat).contiguous(),
             scores = found.scores.to(at::kCPU, at::kFloat).contiguous(),
             classes = found.classes.to(at::kCPU).contiguous();
  std::vector<Instance> objects(static_cast<std::size_t>(boxes.size(0)));
  for (std::size_t i = 0; i < objects.size(); ++i) {
    const auto* const box = boxes.const_data_ptr<float>() + 4 * i;
    objects[i].category = static_cast<int>(classes.const_data_ptr<std::int64_t>()[i]);
    objects[i].score = scores.const_data_ptr<float>()[i];
    objects[i].box = restore(cv::Rect2f(box[0], box[1], box[2] - box[0], box[3] - box[1]), batch, index);
  }
  if (found.masks.defined() && !objects.empty()) {
    if (keeps_axes(geometry))
      add_masks(paste_masks(found.masks, in_file(boxes, geometry.to_original), size_of(geometry.original)), objects);
    else
      move_masks(paste_masks(found.masks, boxes, size_of(batch.sizes[index])), batch, index, objects);
  }
  std::erase_if(objects, [](const Instance& object) { return object.box.empty(); });
  return objects;
}

}  // namespace sectile::nn
