// What a component, or any module inside a model, can do beyond its kind's interface. The host finds a role by
// dynamic_cast, walking over all modules; a new role disturbs nobody, so this is where abilities are added without a
// rebuild of existing plugins.
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

// How a network will be run when it no longer learns.
struct InferencePlan {
  // What the network computes in. bfloat16 and float16: under autocast to that type, which would cast float32 weights
  // in every forward. float32 leaves a network of float64 as it is.
  at::ScalarType precision = at::kFloat;
  at::Device device{at::kCPU};                             // where it computes, and its weights lie
  at::MemoryFormat format = at::MemoryFormat::Contiguous;  // of images and of weights with 4 axes
  // A layer compares both its forms on made-up input, and throws PluginError where they differ by more than the
  // precision explains.
  bool verify = false;
};

// A layer or block with a faster form for inference: folded, cast, pre-packed, fused. Its state dict is not the
// training one any more.
class SECTILE_EXPORT InferenceForm {
 public:
  virtual ~InferenceForm();
  // The host calls it after weights are loaded, in eval mode and without gradients, on the thread that loaded them and
  // before any forward. The order of layers is not defined, and a second call must do no harm.
  virtual void prepare_for_inference(const InferencePlan& plan) = 0;
};

// Another layout of the same weights: what `translate` makes of a file's tensors has this module's own names and
// shapes. It is tried on any file and must not throw for one that it does not know.
struct Dialect {
  std::string name{};
  std::function<void(NamedTensors&)> translate{};
};

// Facts about a module's weights that cannot be seen from outside. Any module of the tree may have them, and names are
// relative to the module that has the role.
class SECTILE_EXPORT WeightRules {
 public:
  virtual ~WeightRules();
  virtual std::vector<Dialect> dialects() const { return {}; }  // besides its own names
  // Prefixes of the layers that give each class its channel. They stay as made where the file's first dimension, and
  // nothing else, differs: a layer's weight and bias together.
  virtual std::vector<std::string> head() const { return {}; }
  virtual std::vector<std::string> transient_buffers() const { return {}; }     // not saved, not expected in a file
  virtual int depth(const std::string& /*parameter*/) const { return -1; }      // 0 = stem, 1, …; -1: no stage
  virtual bool decays(const std::string& /*parameter*/) const { return true; }  // norms and biases never do
  // A file's tensor brought to the wanted shape, asked only where the two differ: a stem for another number of
  // channels, position embeddings of another size. Undefined, or of yet another shape: there is no such rule.
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

// For losses over the whole batch (Dice) and for norms: called once when there is more than one rank.
class SECTILE_EXPORT AcrossRanks {
 public:
  virtual ~AcrossRanks();
  virtual void use(std::shared_ptr<const Ranks> ranks) = 0;
};

// Of a Model that learns from more than the annotation: heat maps of centres, matched anchors. They are made here and
// not by transforms of the spec, so that models can be exchanged.
class SECTILE_EXPORT OwnTargets {
 public:
  virtual ~OwnTargets();

  // Of one training sample after its transforms; padded: the size of the batch's images. Every sample of a batch gives
  // the same names, shapes and types: stacked to [N, …] they join Batch::targets. Called by loader threads, several at
  // once, while the network trains: it must not look at parameters.
  virtual std::map<std::string, at::Tensor> own_targets(const Sample& sample, const Extent& padded) const = 0;
};

}  // namespace sectile
