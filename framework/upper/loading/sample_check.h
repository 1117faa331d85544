// What datasets and transforms hand over, checked per image, so that a bad one is named and may be skipped.
#pragma once

#include "batch.h"

namespace sectile {

// Throws DataError naming the sample: for an image of other channels or dimensions than the network's, for pixels that
// are not finite, for annotation of another type or size than sample.h says, and for class numbers out of range.
void check_sample(const Sample& sample, const Collation& how);

// Only the annotation, or only the labels, which may be missing. classes: how many there are.
void check_annotation(const Sample& sample, int classes);
void check_labels(const Sample& sample, int classes);

}  // namespace sectile
