// Each of these is queued by the function of its name in kernels.h.
#pragma once

#include "kernels.h"

namespace sectile::cuda {

int queue_roi_align(const RoiAlign& call, const Queue& queue);
int queue_roi_gradient(const RoiAlign& call, const Queue& queue);
int queue_nms(const Nms& call, const Queue& queue);
int queue_count_runs(const PasteMasks& call, const Queue& queue);
int queue_write_runs(const PasteMasks& call, const Queue& queue);

}  // namespace sectile::cuda
