// A sample as one image to look at.
#pragma once

#include <opencv2/core/mat.hpp>

#include <sectile/context.h>
#include <sectile/sample.h>

namespace sectile {

// 8U RGB: the image, and beside it the same with its annotation drawn over it, if there is any: labels, or the objects
// if there are no labels or if `objects_first`. Then each target in grayscale, in the order of their names, each of its
// first 16 channels from its smallest value to its largest. Of labels per class, the class with the largest share is
// drawn; of a volume, the slice in the middle, without objects. Throws DataError for annotation of another size than
// the image, and for class numbers of objects out of range.
cv::Mat sample_view(const Sample& sample, const LabelMap& classes, bool objects_first = false);

}  // namespace sectile
