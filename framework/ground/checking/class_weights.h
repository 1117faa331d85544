// Weights of classes in a loss, from how often they occur.
#pragma once

#include <cstdint>
#include <vector>

namespace sectile {

// How often one class occurs.
struct ClassFrequency {
  std::int64_t pixels = 0;
  std::int64_t counted = 0;       // pixels of all images that are not ignored
  std::int64_t counted_with = 0;  // the same, of the images in which the class has pixels
  std::int64_t images = 0;        // in which it occurs
};

enum class WeightRule { inverse_frequency, median_frequency, enet, effective_number };
constexpr WeightRule kWeightRules[] = {WeightRule::inverse_frequency, WeightRule::median_frequency, WeightRule::enet,
                                       WeightRule::effective_number};
const char* name_of(WeightRule rule);

constexpr double kEffectiveBeta = 0.999;

// One weight per class, with p = pixels / counted, and means over the classes that occur:
// * inverse_frequency: 1 / (p · classes that occur), scikit-learn's "balanced".
// * median_frequency: median(f) / f, where f = pixels / counted_with (Eigen and Fergus 2015; SegNet).
// * enet: 1 / ln(1.02 + p) (Paszke et al. 2016).
// * effective_number: (1 - β) / (1 - β^images), scaled so that those of the classes that occur sum to their number (Cui
//   et al. 2019), β = beta.
// 0 for classes that do not occur, except for enet, which defines a weight. Empty if no class occurs.
std::vector<double> class_weights(WeightRule rule, const std::vector<ClassFrequency>& classes,
                                  double beta = kEffectiveBeta);

}  // namespace sectile
