// Optional interfaces (roles) of components and of modules inside a model. The host finds them by dynamic_cast over all
// modules. New features are added as roles, because existing plugins then need no rebuild.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include <ATen/core/Tensor.h>

#include <sectile/named_tensors.h>
#include <sectile/sample.h>
#include <sectile/torch_abi.h>

namespace sectile {

// How a network runs in inference.
struct InferencePlan {
  // What the network computes in. bfloat16 and float16: under autocast to that type, which would cast float32 weights
  // in every forward. float32 leaves a network of float64 as it is.
  at::ScalarType precision = at::kFloat;
  at::Device device{at::kCPU};                             // of computation and weights
  at::MemoryFormat format = at::MemoryFormat::Contiguous;  // of images and of 4-D weights
  // Layers may also keep their weights in an order of their own, for one pass with what follows them. Their parameters
  // are empty then, and cannot be converted again.
  bool pack = false;
  // A layer compares both its forms on example input, and throws PluginError if they differ by more than the precision
  // explains.
  bool verify = false;
};

// A layer or block with a faster form for inference: folded, cast, pre-packed, fused. Its state dict then differs from
// that in training.
class SECTILE_EXPORT InferenceForm {
 public:
  virtual ~InferenceForm();
  // The host calls it after weights are loaded, in eval mode and without gradients, on the thread that loaded them and
  // before any forward. The order of layers is undefined; a second call must have no effect.
  virtual void prepare_for_inference(const InferencePlan& plan) = 0;
};

// Another layout of the same weights: `translate` converts a file's tensors to this module's names and shapes. It is
// tried on any file, and must not throw for a file that does not match.
struct Dialect {
  std::string name{};
  std::function<void(NamedTensors&)> translate{};
};

// Information about a module's weights. Any submodule may have this role; names are relative to it.
class SECTILE_EXPORT WeightRules {
 public:
  virtual ~WeightRules();
  virtual std::vector<Dialect> dialects() const { return {}; }  // besides its own names
  // Prefixes of the layers with one output channel per class, and of tokens [1, classes, C]. They keep their initial
  // weights if the file's tensors differ in that dimension only: a layer's weight and bias together.
  virtual std::vector<std::string> head() const { return {}; }
  // Prefixes of layers that are used in training alone, such as an auxiliary head. A file may lack them, and they keep
  // their initial weights; it may have them where this network, built without, has none, and they are ignored.
  virtual std::vector<std::string> optional_layers() const { return {}; }
  // Weights [O, C, …] of the convolutions of the image: C are its channels. A file's weights are adapted to another
  // number of channels (adapt_input_channels), and reversed if they were trained on BGR images.
  virtual std::vector<std::string> image_convs() const { return {}; }
  virtual std::vector<std::string> transient_buffers() const { return {}; }     // not saved, not expected in a file
  virtual int depth(const std::string& /*parameter*/) const { return -1; }      // 0 = stem, 1, …; -1: no stage
  virtual bool decays(const std::string& /*parameter*/) const { return true; }  // norms and biases never do
  // Converts a file's tensor to the expected shape, called only if the shapes differ: position embeddings of another
  // size. Undefined, or of a third shape: there is no such rule.
  virtual at::Tensor adapt(const std::string& /*name*/, const at::Tensor& /*tensor*/,
                           at::IntArrayRef /*wanted*/) const {
    return {};
  }
};

// The other processes of a distributed run.
class SECTILE_EXPORT Ranks {
 public:
  virtual ~Ranks();
  virtual int count() const = 0;
  virtual at::Tensor sum(const at::Tensor& value) const = 0;  // over all ranks, differentiable
};

// For losses over the whole batch (Dice) and for norms: called once if there is more than one rank.
class SECTILE_EXPORT AcrossRanks {
 public:
  virtual ~AcrossRanks();
  virtual void use(std::shared_ptr<const Ranks> ranks) = 0;
};

// For a Loss that is a mean over what the labels count, such as the pixels that are not ignored. With gradient
// accumulation, the host weighs the batches of a step by it, so that the step is that of one large batch; other losses
// are weighed by the number of images.
class SECTILE_EXPORT MeanLoss {
 public:
  virtual ~MeanLoss();
  // What the mean is divided by for these labels (Batch::labels, or the target that the spec names; on the CPU).
  virtual double counted(const at::Tensor& labels) const = 0;
};

// For a Loss whose own options name maps in Batch::targets, besides the option "target" that all have.
class SECTILE_EXPORT ReadsTargets {
 public:
  virtual ~ReadsTargets();
  virtual std::vector<std::string> read_targets() const = 0;
};

// For a Model that needs training targets besides the annotation: heat maps of centers, matched anchors. They are
// computed here and not by transforms of the spec, so that models can be swapped.
class SECTILE_EXPORT OwnTargets {
 public:
  virtual ~OwnTargets();

  // For one training sample after its transforms; padded: the size of the batch's images. All samples of a batch must
  // have the same names, shapes and types: they are stacked to [N, …] and added to Batch::targets. Called by several
  // loader threads at once, while the network trains: it must not access parameters.
  virtual std::map<std::string, at::Tensor> own_targets(const Sample& sample, const Extent& padded) const = 0;
};

}  // namespace sectile
