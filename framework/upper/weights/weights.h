// Operations on the parameters of any model.
#pragma once

#include <map>
#include <string>
#include <vector>

#include <ATen/core/Tensor.h>

#include <sectile/optimizer.h>
#include <sectile/roles.h>

namespace torch::nn {
class Module;
}

namespace sectile {

using StateDict = std::map<std::string, at::Tensor>;

std::vector<at::Tensor> parameters_of(torch::nn::Module& module);
StateDict state_dict(torch::nn::Module& module);  // without transient buffers
bool all_finite(const StateDict& state);
// All trainable parameters, grouped by learning rate and decay, in the module's order within a group. Freezes
// parameters as the options say. Throws SpecError for a rule that matches nothing.
std::vector<ParameterGroup> parameter_groups(torch::nn::Module& module, const Kind<Optimizer>::Common& options);
// The first stages of a module, by its WeightRules. Throws OptionError for "freeze" if it has fewer; `name` is for the
// message: "backbone \"resnet\"".
void freeze(torch::nn::Module& module, int stages, const std::string& name);
// Converts all layers with an inference form, and returns their number. The order of layers does not matter, and a
// second call changes nothing. Throws PluginError, naming the layer, if plan.verify finds that its two forms differ.
int prepare_for_inference(torch::nn::Module& module, const InferencePlan& plan = {});
int connect(torch::nn::Module& module, std::shared_ptr<const Ranks> ranks);
void to_format(torch::nn::Module& module, at::MemoryFormat format);  // of 4-D weights
void to_device(torch::nn::Module& module, const at::Device& device);
void to_double(torch::nn::Module& module);

// Whether batch norms and dropout behave as in training.
bool is_training(const torch::nn::Module& module);
// Norms with frozen parameters stay in evaluation mode: they use their running statistics and do not change them.
void set_training(torch::nn::Module& module, bool on);

}  // namespace sectile
