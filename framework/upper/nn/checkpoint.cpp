#include <sectile/nn/checkpoint.h>

#include <mutex>
#include <utility>

#include <ATen/CPUGeneratorImpl.h>
#include <ATen/Context.h>
#include <ATen/ThreadLocalState.h>
#include <ATen/autocast_mode.h>
#include <c10/core/GradMode.h>
#include <torch/csrc/autograd/autograd.h>
#include <torch/csrc/autograd/custom_function.h>

namespace sectile::nn {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;
using Stage = std::function<at::Tensor(const at::Tensor&)>;

thread_local bool runs_again = false;

at::Generator generator_of(const at::Tensor& input) {
  return input.is_cpu() ? at::detail::getDefaultCPUGenerator() : at::globalContext().defaultGenerator(input.device());
}

at::Tensor state_of(at::Generator generator) {
  const std::lock_guard<std::mutex> lock(generator.mutex());
  return generator.get_state();
}

void set_state(at::Generator generator, const at::Tensor& state) {
  const std::lock_guard<std::mutex> lock(generator.mutex());
  generator.set_state(state);
}

// What the first run found, for the second one to find again.
struct FirstRun : torch::CustomClassHolder {
  FirstRun(Stage its_stage, const at::Tensor& input)
      : stage(std::move(its_stage)), random(state_of(generator_of(input))) {}
  const Stage stage;
  const at::Tensor random;              // the generator's state
  const at::ThreadLocalState settings;  // autocast among them
};

class SecondRun final {
 public:
  SecondRun(const FirstRun& first, at::Generator generator)
      : settings_(first.settings),
        grad_(true),
        generator_(std::move(generator)),
        random_(state_of(generator_)),
        nested_(std::exchange(runs_again, true)) {
    set_state(generator_, first.random);
    at::autocast::increment_nesting();
  }
  ~SecondRun() {
    // Autocast keeps weights that it converted. This run is outside the scope of the first one, which forgets them at
    // its end, and the next step's weights are others.
    if (at::autocast::decrement_nesting() == 0) at::autocast::clear_cache();
    runs_again = nested_;
    set_state(generator_, random_);
  }
  SecondRun(const SecondRun&) = delete;
  SecondRun& operator=(const SecondRun&) = delete;

 private:
  const at::ThreadLocalStateGuard settings_;
  const c10::AutoGradMode grad_;
  const at::Generator generator_;
  const at::Tensor random_;  // the state to go on with
  const bool nested_;
};

// The parameters are inputs, so that their gradients are this function's, and an input without gradient, such as
// images, is no obstacle. LibTorch finds the variables of a TensorList, but not those of a vector.
struct Checkpoint : torch::autograd::Function<Checkpoint> {
  static at::Tensor forward(AutogradContext* context, const at::Tensor& input, const Stage& stage,
                            at::TensorList parameters) {
    context->saved_data["first"] = c10::IValue::make_capsule(c10::make_intrusive<FirstRun>(stage, input));
    variable_list saved{input};
    saved.insert(saved.end(), parameters.begin(), parameters.end());
    context->save_for_backward(saved);
    return stage(input);
  }

  static variable_list backward(AutogradContext* context, variable_list gradients) {
    const auto first = c10::static_intrusive_pointer_cast<FirstRun>(context->saved_data["first"].toCapsule());
    auto inputs = context->get_saved_variables();
    inputs[0] = inputs[0].detach().requires_grad_(inputs[0].requires_grad());
    at::Tensor output;
    {
      const SecondRun again(*first, generator_of(inputs[0]));
      output = first->stage(inputs[0]);
    }
    variable_list learning;
    for (const auto& input : inputs)
      if (input.requires_grad()) learning.push_back(input);
    const auto found = torch::autograd::grad({output}, learning, gradients, /*retain_graph=*/std::nullopt,
                                             /*create_graph=*/false, /*allow_unused=*/true);
    variable_list result;
    std::size_t next = 0;
    for (std::size_t i = 0; i < inputs.size(); ++i) {
      result.push_back(inputs[i].requires_grad() ? found[next++] : at::Tensor());
      if (i == 0) result.emplace_back();  // of the stage
    }
    return result;
  }
};

}  // namespace

at::Tensor checkpoint(const Stage& stage, const at::Tensor& input, const std::vector<at::Tensor>& parameters) {
  return c10::GradMode::is_enabled() ? Checkpoint::apply(input, stage, at::TensorList(parameters)) : stage(input);
}

bool recomputing() { return runs_again; }

}  // namespace sectile::nn
