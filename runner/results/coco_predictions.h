// Predictions in COCO's formats (https://cocodataset.org/#format-results).
#pragma once

#include "prediction_formats.h"

namespace sectile {

// Which numbers images and classes have in results: those of COCO, or, where some have none or two have the same, their
// place in the list of images, or of classes, from 1.
enum class Numbers { of_coco, any };

// results.json: instances, or of a network for semantic segmentation one mask per class, as COCO's stuff task wants.
// With instances, images.json lists the images and categories.
std::unique_ptr<PredictionFormat> coco_results(const Network& network, const std::filesystem::path& folder,
                                               Numbers numbers);

// PNGs of segment ids (red + 256 green + 65536 blue) and panoptic.json. Of a network for semantic segmentation, each
// class is one segment.
std::unique_ptr<PredictionFormat> coco_panoptic(const Network& network, const std::filesystem::path& folder);

}  // namespace sectile
