#include <set>

#include <ATen/core/Tensor.h>
#include <ATen/ops/_foreach_add.h>
#include <ATen/ops/empty_like.h>
#include <ATen/ops/zeros.h>
#include <ATen/ops/zeros_like.h>

#include <sectile/foreach_optimizer.h>

namespace sectile {
namespace {

const std::string kCount = "step";

// The kernels iterate over memory, so all tensors need the same layout; state from a file may have another one.
at::Tensor laid_out_like(const at::Tensor& parameter, const at::Tensor& other) {
  if (other.strides() == parameter.strides() && other.device() == parameter.device() &&
      other.scalar_type() == parameter.scalar_type())
    return other;
  return at::empty_like(parameter).copy_(other);
}

std::string text(at::IntArrayRef sizes) {
  std::string text;
  for (const auto size : sizes) text += (text.empty() ? "" : " x ") + std::to_string(size);
  return "[" + text + "]";
}

}  // namespace

ForeachOptimizer::ForeachOptimizer(std::string name, std::vector<std::string> slots)
    : name_(std::move(name)), slots_(std::move(slots)) {}
ForeachOptimizer::~ForeachOptimizer() = default;

void ForeachOptimizer::step(const std::vector<ParameterGroup>& groups, double lr) {
  for (const auto& group : groups) {
    std::map<std::pair<at::ScalarType, bool>, ForeachTensors> alike;
    for (std::size_t i = 0; i < group.parameters.size(); ++i) {
      const auto& parameter = group.parameters[i];
      if (!parameter.grad().defined()) continue;
      const bool first = state_.count(group.names[i]) == 0;
      auto& tensors = alike[{parameter.scalar_type(), first}];
      tensors.first = first;
      tensors.parameters.push_back(parameter);
      tensors.gradients.push_back(laid_out_like(parameter, parameter.grad()));
      for (const auto& [slot, tensor] : remembered(group.names[i], parameter)) tensors.state[slot].push_back(tensor);
    }
    for (auto& [unused, tensors] : alike) {
      if (const auto counts = tensors.state.find(kCount); counts != tensors.state.end())
        at::_foreach_add_(counts->second, 1);
      update(tensors, lr * group.lr_scale, group.decay);
    }
  }
}

ParameterState& ForeachOptimizer::remembered(const std::string& parameter_name, const at::Tensor& parameter) {
  auto& own = state_[parameter_name];
  for (const auto& slot : slots_) {
    auto& tensor = own[slot];
    if (slot == kCount) {
      const auto options = parameter.options().dtype(at::kFloat);
      tensor = tensor.defined() ? tensor.to(options) : at::zeros({}, options);
    } else if (!tensor.defined()) {
      tensor = at::zeros_like(parameter);
    } else if (tensor.sizes() != parameter.sizes()) {
      throw DataError(name_, "the \"" + slot + "\" of parameter \"" + parameter_name + "\" is " + text(tensor.sizes()) +
                                 ", and the parameter " + text(parameter.sizes()) +
                                 ": the state was saved with another model");
    } else {
      tensor = laid_out_like(parameter, tensor);
    }
  }
  return own;
}

std::map<std::string, ParameterState> ForeachOptimizer::state() const { return state_; }

void ForeachOptimizer::load(const std::map<std::string, ParameterState>& state) {
  constexpr const char* kHint = ": it was saved by another optimizer, or with other options";
  const std::set<std::string> wanted(slots_.begin(), slots_.end());
  std::map<std::string, ParameterState> loaded;
  for (const auto& [parameter, slots] : state) {
    for (const auto& slot : wanted)
      if (slots.count(slot) == 0)
        throw DataError(name_, "the state of parameter \"" + parameter + "\" has no \"" + slot + "\"" + kHint);
    for (const auto& [slot, tensor] : slots) {
      if (wanted.count(slot) == 0)
        throw DataError(name_, "the state of parameter \"" + parameter + "\" has a \"" + slot +
                                   "\", which is not kept here" + kHint);
      if (slot == kCount && tensor.numel() != 1)
        throw DataError(name_, "the \"step\" of parameter \"" + parameter + "\" has " + std::to_string(tensor.numel()) +
                                   " elements; expected one number");
      loaded[parameter][slot] = slot == kCount ? tensor.reshape({}).clone() : tensor.clone();
    }
  }
  state_ = std::move(loaded);
}

void check_betas(const std::array<double, 2>& betas, Problems& problems) {
  for (const double beta : betas)
    if (beta == 1) problems.add("betas", "a value of 1 never forgets the zero it starts from: below 1");
}

void MomentOptions::declare(Options& options) {
  options.add("betas", &betas, "Coefficients of the running averages of the gradient and its square; below 1.")
      .at_least(0)
      .at_most(1);
  options.add("eps", &eps, "Added to the denominator for numerical stability.").at_least(0);
}

}  // namespace sectile
