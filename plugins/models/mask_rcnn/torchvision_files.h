// torchvision's files of weights.
#pragma once

#include <sectile/context.h>
#include <sectile/roles.h>

namespace mask_rcnn {

// Names from before torchvision 0.13, and heads for 90 classes of COCO, of which 80 exist. For a network with these 80
// classes, by name, the others' rows are left out; their scores are those of nothing, about 0.
sectile::Dialect torchvision_dialect(const sectile::LabelMap& labels);

}  // namespace mask_rcnn
