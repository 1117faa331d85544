// Class numbers of an image from scores at a lower resolution, in one pass: the scores at full size are never made.
#pragma once

#include <optional>
#include <vector>

#include <ATen/core/Tensor.h>

#include <sectile/batch.h>

namespace sectile {

// As restore(scores, batch, index).argmax(0): int64 [H, W]; of equal scores the first class. Undefined where that is
// the way to go: for volumes, other devices and types than the CPU's float32, scores that need no upsampling or are not
// finite, and images that were changed by more than flips. A class may differ only where two scores are equal but for
// rounding.
at::Tensor restored_labels(const at::Tensor& scores, const Batch& batch, std::size_t index);

// The axes to flip, counted from the last one (-1 is x), to restore an image to the coordinates of its file, if that
// and removing the padding is all there is to do.
std::optional<std::vector<std::int64_t>> restoring_flips(const Batch& batch, std::size_t index);

}  // namespace sectile
