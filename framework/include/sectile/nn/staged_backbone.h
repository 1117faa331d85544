// A backbone that is a sequence of layers, in stages that each end in a level of features.
#pragma once

#include <functional>
#include <string>
#include <utility>
#include <vector>

#include <sectile/backbone.h>
#include <sectile/context.h>
#include <sectile/roles.h>

namespace sectile::nn {

// The constructor of a derived class adds the layers of all stages in order, with a call of end_stage after each. Only
// layers of stages that the model needs are made; the others are optional_layers(), so that files may have them.
// Stages are the depths of parameters, counted from 0, and what gradient checkpointing computes twice.
class SECTILE_EXPORT StagedBackbone : public Backbone, public WeightRules {
 public:
  ~StagedBackbone() override;
  std::vector<at::Tensor> features(const at::Tensor& images) override;
  std::vector<FeatureLevel> levels() const final;
  int depth(const std::string& parameter) const final;
  std::vector<std::string> optional_layers() const override;

 protected:
  // Throws OptionError for an output stride that is not 8, 16 or 32.
  StagedBackbone(const FeatureRequest& request, int stages, bool gradient_checkpointing);

  struct Step {
    int stride;
    int dilation;
  };
  // For each layer in order that has a stride in the original. Where the output stride has been reached, the stride is
  // 1, and the dilation doubles for all later layers; for this one too if dilate_first.
  Step step(int stride, bool dilate_first);

  // prefixes: of the names of its parameters ("features.0."). make(): a block with a forward(at::Tensor), such as
  // ConvNormAct.
  template <class Make>
  void add(const std::vector<std::string>& prefixes, const Make& make) {
    if (!is_needed())
      omit(prefixes);
    else
      append(prefixes, [block = make()](at::Tensor input) { return block.forward(std::move(input)); });
  }
  void end_stage(int channels);

  // He normal with fan-out (He et al. 2015, arXiv:1502.01852), and biases of zero, as torchvision starts its networks.
  void initialize_convs();
  const FeatureRequest& request() const { return request_; }

 private:
  using Layer = std::function<at::Tensor(at::Tensor)>;
  struct Stage {
    std::vector<Layer> layers;
    std::vector<std::string> prefixes;
  };

  bool is_needed() const;  // whether the current stage is
  void append(const std::vector<std::string>& prefixes, Layer layer);
  void omit(const std::vector<std::string>& prefixes);
  at::Tensor run(const Stage& stage, const at::Tensor& input) const;
  std::vector<at::Tensor> parameters_of(std::size_t stage) const;

  FeatureRequest request_;
  std::size_t needed_;  // stages
  bool gradient_checkpointing_;
  int stride_ = 1;
  int dilation_ = 1;
  std::vector<FeatureLevel> levels_;  // of all stages, also of those that are not made
  std::vector<Stage> stages_;
  std::vector<std::string> omitted_;
};

}  // namespace sectile::nn
