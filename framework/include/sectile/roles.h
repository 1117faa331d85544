// What a component, or any module inside a model, can do beyond its kind's interface. The host finds a role by
// dynamic_cast, walking over all modules; a new role disturbs nobody, so this is where abilities are added without a
// rebuild of existing plugins.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include <sectile/named_tensors.h>

namespace sectile {

// A block with a faster form for inference: folded, pre-packed, fused. Its state dict is not the training one any more.
class SECTILE_EXPORT InferenceForm {
 public:
  virtual ~InferenceForm();
  virtual void prepare_for_inference() = 0;  // once, after weights are loaded, in eval mode
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
  virtual std::vector<std::string> head() const {
    return {};
  }  // prefixes that stay as made if the file's shape differs
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

}  // namespace sectile
