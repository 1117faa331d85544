// What is odd about the data that a training run is evaluated on, although nothing is wrong with it.
#pragma once

#include <string>
#include <vector>

#include "sample_source.h"

namespace sectile {

// The dataset's own, images that are also trained on, and transforms that are random, without the notes that were told
// already, of other data. pointer: of the split, such as "/data/val". Reads up to three samples.
std::vector<std::string> evaluation_notes(const Dataset& trained, const std::vector<std::string>& told,
                                          const SampleSource& source, const std::string& pointer);

}  // namespace sectile
