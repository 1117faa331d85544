// Samples as tensors, and the outputs of a model.
#pragma once

#include <map>
#include <string>
#include <vector>

#include <ATen/core/Tensor.h>

#include <sectile/sample.h>
#include <sectile/torch_abi.h>

namespace sectile {

// The K annotated objects of one image, in the order of its sample.
struct Objects {
  at::Tensor boxes{};    // float [K, 4]: left, top, right, bottom, in pixels of the batch's images
  at::Tensor classes{};  // int64 [K]
  at::Tensor
      masks{};  // bool [K, …] of the padded size; false for an object without a mask, undefined if no object has one
  at::Tensor crowd{};  // bool [K]
};

// N samples, padded at the right, bottom and back to a common size that is a multiple of the model's divisor. […] is
// D,H,W or H,W.
struct Batch {
  at::Tensor images{};  // float [N, C, …], channels last in memory
  at::Tensor labels{};  // int64 [N, …] of class numbers and kIgnore; or float [N, classes, …] of 0..1 and
                        // kIgnore; undefined if no sample has labels, kIgnore for samples without labels
  at::Tensor tags{};    // float [N, classes] of 0 and 1; undefined if no sample has tags
  std::map<std::string, at::Tensor> targets{};  // float [N, C, …], or int64 [N, …]; 0 or kIgnore in padding and for
                                                // samples that have none; with those of the model's OwnTargets
  std::vector<Objects> objects{};               // one per image if the task has objects; else empty
  std::vector<Extent> sizes{};                  // the part of each image that is not padding
  std::vector<Sample> truth{};   // the samples without image, labels and targets: id, instances, segments, geometry
  std::vector<Batch> support{};  // of episodes: shot k of every sample
};

// What a model returns. Dense scores are in logits; anything else that a model passes to its own loss or decoder is in
// named, and documented with the model.
struct SECTILE_EXPORT Outputs {
  at::Tensor logits{};               // float [N, classes, …], any resolution
  std::vector<Outputs> auxiliary{};  // further outputs: auxiliary heads, the layers of deep supervision
  std::map<std::string, at::Tensor> named{};
  double weight = 0.4;  // in the loss, as an auxiliary output; a spec's "auxiliary" takes precedence

  const at::Tensor& at(const std::string& name) const;  // or "logits"; throws PluginError listing the existing names
};

// The decoded result for one image, in the coordinates of its file.
struct Prediction {
  std::string id{};
  at::Tensor labels{};  // int64 […] of class numbers; or bool [classes, …] for overlapping classes. The host sets
                        // what the transforms cut off to kIgnore, or false, and its scores to 0
  at::Tensor scores{};  // float [classes, …] of probabilities, if requested
  std::vector<Instance> instances{};
  at::Tensor segment_ids{};  // int32 […], 0 = void
  std::vector<Segment> segments{};
  std::map<std::string, at::Tensor> named{};  // float [C, …], as requested by Wanted::named; cut off: logits of NaN
};

// What a decoder has to compute: the union of what metrics and writers need.
struct Wanted {
  bool labels = false;
  bool scores = false;
  bool instances = false;
  bool masks = false;  // of the instances; if false, their boxes are enough
  bool segments = false;
  bool overlapping = false;          // the label map's: sigmoid above 0.5 instead of argmax
  std::vector<std::string> named{};  // of Outputs::named: a second head's, edges, centres; or "logits"
};

// Scores over the whole padded image [C, …], at any resolution, resampled to the file's size: upsampled, padding
// removed, mapped by Sample::geometry. Linear; differentiable; on the tensor's device.
SECTILE_EXPORT at::Tensor restore(const at::Tensor& scores, const Batch& batch, std::size_t index);
SECTILE_EXPORT cv::Rect2f restore(const cv::Rect2f& box, const Batch& batch, std::size_t index);

}  // namespace sectile
