// What a detector finds, as objects of the file.
#pragma once

#include <vector>

#include <ATen/core/Tensor.h>

#include <sectile/batch.h>
#include <sectile/torch_abi.h>

namespace sectile::nn {

// K objects of one image.
struct FoundObjects {
  at::Tensor boxes{};    // float [K, 4]: left, top, right, bottom, in pixels of the batch's images
  at::Tensor scores{};   // float [K], 0 to 1
  at::Tensor classes{};  // int64 [K]
  at::Tensor masks{};    // float [K, M, M] of probabilities, each over its box; undefined: boxes alone
};

// The same objects in the coordinates of the file that image `index` of the batch is from, in their order. Where the
// transforms only scaled and shifted the image, masks are pasted at the file's size, as torchvision does. Where they
// turned or mirrored it, masks are pasted at the image's size and moved back by the nearest pixels. Boxes are cut at
// the file's edges; objects that lie beyond them, where transforms padded the image, are left out. Throws DataError for
// a geometry that cannot be inverted.
SECTILE_EXPORT std::vector<Instance> restore_objects(const FoundObjects& found, const Batch& batch, std::size_t index);

}  // namespace sectile::nn
