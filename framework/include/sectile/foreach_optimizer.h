// Optimizers on LibTorch's fused and foreach operators, which update many tensors in one call. Derive, name what is
// remembered of a parameter, and write the one function that updates lists of tensors.
#pragma once

#include <array>
#include <map>
#include <string>
#include <vector>

#include <sectile/optimizer.h>

namespace sectile {

// Parameters that are updated alike: of one group and one type, all with a gradient. Element i of every list belongs to
// the same parameter, and has its type, device and layout in memory; "step" is a float32 scalar on that device.
struct ForeachTensors {
  std::vector<at::Tensor> parameters{};
  std::vector<at::Tensor> gradients{};                     // may be a parameter's own: never written to
  std::map<std::string, std::vector<at::Tensor>> state{};  // by slot
  bool first = false;                                      // never updated before: their state is all zeros
};

class SECTILE_EXPORT ForeachOptimizer : public Optimizer {
 public:
  void step(const std::vector<ParameterGroup>& groups, double lr) final;
  std::map<std::string, ParameterState> state() const final;

  // Wants for every parameter exactly the slots of this optimizer, with a "step" of one element; throws DataError. The
  // next step throws it for a slot whose shape is not its parameter's. Takes a copy.
  void load(const std::map<std::string, ParameterState>& state) final;

 protected:
  // name: for messages. slots: what is remembered of a parameter, under torch.optim's names. It is zero at first, and
  // like the parameter, but for "step": the number of updates, counted here before update() is called.
  ForeachOptimizer(std::string name, std::vector<std::string> slots);
  ~ForeachOptimizer() override;

  // lr: of the group. decay: whether weight decay holds.
  virtual void update(ForeachTensors& tensors, double lr, bool decay) = 0;

 private:
  ParameterState& remembered(const std::string& parameter_name, const at::Tensor& parameter);

  std::string name_;
  std::vector<std::string> slots_;
  std::map<std::string, ParameterState> state_;  // of parameters that had a gradient, by name
};

// For an options struct's check(): a running mean that keeps all of itself never leaves the zero it starts from.
SECTILE_EXPORT void check_betas(const std::array<double, 2>& betas, Problems& problems);

// The options that Adam and its relatives have in common: derive from it, and declare these before your own.
struct SECTILE_EXPORT MomentOptions {
  std::array<double, 2> betas = {0.9, 0.999};
  double eps = 1e-8;

  void declare(Options& options);
  void check(Problems& problems) const { check_betas(betas, problems); }
};

}  // namespace sectile
