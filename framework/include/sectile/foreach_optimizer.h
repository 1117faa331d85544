// Optimizers that use LibTorch's fused and foreach operators, which update many tensors in one call. A derived class
// names its state per parameter, and implements one function that updates lists of tensors.
#pragma once

#include <array>
#include <map>
#include <string>
#include <vector>

#include <sectile/optimizer.h>

namespace sectile {

// Parameters that are updated together: of one group and one type, all with a gradient. Element i of every list belongs
// to the same parameter, and has its type, device and memory layout; "step" is a float32 scalar on that device.
struct ForeachTensors {
  std::vector<at::Tensor> parameters{};
  std::vector<at::Tensor> gradients{};                     // may be the parameters' own: do not modify
  std::map<std::string, std::vector<at::Tensor>> state{};  // by slot
  bool first = false;                                      // the first update: all state is zero
};

class SECTILE_EXPORT ForeachOptimizer : public Optimizer {
 public:
  void step(const std::vector<ParameterGroup>& groups, double lr) final;
  std::map<std::string, ParameterState> state() const final;

  // Expects for every parameter exactly the slots of this optimizer, with a "step" of one element; throws DataError.
  // The next step throws it for a slot whose shape differs from its parameter's. Copies the tensors.
  void load(const std::map<std::string, ParameterState>& state) final;

 protected:
  // name: for messages. slots: the state per parameter, under torch.optim's names, initially zero and like the
  // parameter, except "step": the number of updates, incremented here before update() is called.
  ForeachOptimizer(std::string name, std::vector<std::string> slots);
  ~ForeachOptimizer() override;

  // lr: of the group. decay: whether weight decay applies.
  virtual void update(ForeachTensors& tensors, double lr, bool decay) = 0;

 private:
  ParameterState& remembered(const std::string& parameter_name, const at::Tensor& parameter);

  std::string name_;
  std::vector<std::string> slots_;
  std::map<std::string, ParameterState> state_;  // of parameters that had a gradient, by name
};

// For an options struct's check(): with a beta of 1, a running mean would stay at its initial zero.
SECTILE_EXPORT void check_betas(const std::array<double, 2>& betas, Problems& problems);

// The options common to Adam and similar optimizers: derive from it, and declare these before your own.
struct SECTILE_EXPORT MomentOptions {
  std::array<double, 2> betas = {0.9, 0.999};
  double eps = 1e-8;

  void declare(Options& options);
  void check(Problems& problems) const { check_betas(betas, problems); }
};

}  // namespace sectile
