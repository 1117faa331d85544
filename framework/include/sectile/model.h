// A network, and how its outputs are decoded into predictions.
//
// A dense model is an ordinary torch::nn::Module with `forward(at::Tensor)` that returns logits, or Outputs if it has
// auxiliary heads. Any other model derives from torch::nn::Module and from sectile::Model.
#pragma once

#include <concepts>
#include <string>
#include <type_traits>
#include <vector>

#include <sectile/batch.h>
#include <sectile/component.h>

namespace torch::nn {
class Module;
}

namespace sectile {

// Properties of a model. The host checks sizes and dimensions once, so models do not have to.
struct ModelTraits {
  std::vector<Task> tasks = {Task::semantic};  // what it can decode
  bool masks = true;                           // predicted instances have masks; if false, boxes alone
  std::vector<int> dimensions = {2};           // which inputs it accepts: 2 images, 3 volumes
  Extent divisor = {1, 1, 1};                  // padded sizes are multiples of it, axis by axis
  Extent least = {1, 1, 1};                    // the smallest padded size that it accepts
  Extent window = {0, 0, 0};   // the size it is designed for; zeros: any. The spec's inference.window takes precedence
  bool pad_to_window = false;  // it accepts no other size: smaller images are padded to it, in training too
  std::string loss{};          // its own loss, used if the spec has none
  bool reads_values = false;   // forward reads values of tensors on the CPU, or shapes depend on them, as with
                               // proposals; if false, a step can run asynchronously or as one graph
};

// Parameters are registered in the constructor; the first forward must not add or replace any.
class SECTILE_EXPORT Model {
 public:
  virtual ~Model();
  virtual Outputs forward(const Batch& batch) = 0;  // truth in the batch is used in training mode only
  virtual ModelTraits traits() const { return {}; }
  virtual torch::nn::Module& module() = 0;  // parameters, train/eval, device, save and load

  // One prediction per image, in the file's coordinates (see restore). By default per-pixel argmax of the logits, or
  // sigmoid above 0.5 for overlapping classes.
  virtual std::vector<Prediction> decode(const Outputs& outputs, const Batch& batch, const Wanted& wanted) const;
};

namespace detail {

// Turns a plain network into a Model by inheritance, so that parameter names get no prefix.
template <class Net>
class DenseModel final : public Net, public Model {
 public:
  template <class... Arguments>
  requires std::is_constructible_v<Net, const Arguments&...>
  explicit DenseModel(const Arguments&... arguments) : Net(arguments...) {}

  Outputs forward(const Batch& batch) override {
    if constexpr (std::is_same_v<decltype(Net::forward(batch.images)), Outputs>)
      return Net::forward(batch.images);
    else {
      Outputs outputs;
      outputs.logits = Net::forward(batch.images);
      return outputs;
    }
  }
  ModelTraits traits() const override {
    if constexpr (requires(const Net& net) {
                    { net.traits() } -> std::same_as<ModelTraits>;
                  })
      return Net::traits();
    else
      return {};
  }
  torch::nn::Module& module() override { return *this; }
};

}  // namespace detail

template <class T, class OwnOptions = NoOptions>
constexpr Component model(const char* name, const char* summary) {
  if constexpr (std::is_base_of_v<Model, T>)
    return component<Model, T, OwnOptions>(name, summary);
  else
    return component<Model, detail::DenseModel<T>, OwnOptions>(name, summary);
}

}  // namespace sectile
