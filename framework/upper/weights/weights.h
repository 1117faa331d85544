// Everything the host does to the parameters of a model that it did not write.
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
// Every parameter that learns, grouped by learning rate and decay, in the module's order inside a group. Freezes what
// the options want frozen. Throws SpecError for a rule that matches nothing.
std::vector<ParameterGroup> parameter_groups(torch::nn::Module& module, const Kind<Optimizer>::Common& options);
// The first stages of a module by its WeightRules. Throws OptionError of "freeze" where it has not so many; `name` is
// for the message: "backbone \"resnet\"".
void freeze(torch::nn::Module& module, int stages, const std::string& name);
// How many layers have an inference form, and have it now. Any order of layers will do, and a second time changes
// nothing. Throws PluginError, naming the layer, where plan.verify finds its two forms different.
int prepare_for_inference(torch::nn::Module& module, const InferencePlan& plan = {});
int connect(torch::nn::Module& module, std::shared_ptr<const Ranks> ranks);
void to_format(torch::nn::Module& module, at::MemoryFormat format);  // of weights with 4 dimensions
void to_device(torch::nn::Module& module, const at::Device& device);
void to_double(torch::nn::Module& module);

// Whether batch norms and dropout behave as in training.
bool is_training(const torch::nn::Module& module);
// Norms whose parameters are frozen stay as in evaluation: they use their running statistics and do not change them.
void set_training(torch::nn::Module& module, bool on);

}  // namespace sectile
