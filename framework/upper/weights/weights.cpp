#include "weights.h"

#include <fnmatch.h>

#include <algorithm>
#include <cmath>
#include <set>

#include <ATen/ATen.h>
#include <c10/core/GradMode.h>

#include <torch/nn/module.h>

#include <sectile/error.h>

#include "each_role.h"

namespace sectile {
namespace {

bool starts(const std::string& text, const std::string& prefix) { return text.compare(0, prefix.size(), prefix) == 0; }

StateDict all_tensors(torch::nn::Module& module) {
  StateDict state;
  for (const auto& item : module.named_parameters()) state[item.key()] = item.value();
  for (const auto& item : module.named_buffers()) state[item.key()] = item.value();
  return state;
}

// Information about parameters, by name.
struct Facts {
  std::set<std::string> norm_or_bias, never_decays, head;
  std::map<std::string, int> depth;
  int deepest = -1;
};

Facts facts_of(torch::nn::Module& module) {
  Facts facts;
  each<torch::nn::Module>(module, [&](const std::string& prefix, torch::nn::Module& part) {
    const bool norm = part.name().find("Norm") != std::string::npos && part.children().empty();
    for (const auto& item : part.named_parameters(/*recurse=*/false))
      if (norm || item.value().dim() <= 1) facts.norm_or_bias.insert(prefix + item.key());
  });
  each<WeightRules>(module, [&](const std::string& prefix, WeightRules& rules) {
    const auto heads = rules.head();
    for (const auto& item : module.named_parameters()) {
      if (!starts(item.key(), prefix)) continue;
      const auto name = item.key().substr(prefix.size());
      if (const int d = rules.depth(name); d >= 0)
        facts.depth[item.key()] = d, facts.deepest = std::max(facts.deepest, d);
      if (!rules.decays(name)) facts.never_decays.insert(item.key());
      if (std::any_of(heads.begin(), heads.end(), [&](const auto& head) { return starts(name, head); }))
        facts.head.insert(item.key());
    }
  });
  return facts;
}

// With * for any characters and ? for one character.
bool matches_pattern(const std::string& name, const std::string& pattern) {
  return fnmatch(pattern.c_str(), name.c_str(), FNM_NOESCAPE) == 0;
}

void refuse_unmatched(const torch::nn::Module& module, const Kind<Optimizer>::Common& options,
                      const std::vector<std::size_t>& matches) {
  std::vector<Problem> problems;
  for (std::size_t i = 0; i < matches.size(); ++i)
    if (matches[i] == 0)
      problems.push_back({"/optimizer/groups/" + std::to_string(i) + "/match",
                          "\"" + options.groups[i].match + "\" matches no parameter; their names are like " +
                              module.named_parameters().front().key() + " and " +
                              module.named_parameters().back().key()});
  if (!problems.empty()) throw SpecError(std::move(problems));
}

bool all_frozen(const std::vector<at::Tensor>& parameters) {
  return std::none_of(parameters.begin(), parameters.end(), [](const auto& one) { return one.requires_grad(); });
}

// A norm without parameters (affine = false) is treated like the nearest enclosing module that has any.
void keep_frozen_statistics(torch::nn::Module& module, bool frozen_around) {
  const auto parameters = module.parameters();
  const bool frozen = parameters.empty() ? frozen_around : all_frozen(parameters);
  if (module.children().empty() && frozen && module.named_buffers(/*recurse=*/false).contains("running_mean"))
    module.eval();
  for (const auto& child : module.children()) keep_frozen_statistics(*child, frozen);
}

}  // namespace

std::vector<at::Tensor> parameters_of(torch::nn::Module& module) { return module.parameters(); }

StateDict state_dict(torch::nn::Module& module) {
  auto state = all_tensors(module);
  each<WeightRules>(module, [&](const std::string& prefix, WeightRules& rules) {
    for (const auto& name : rules.transient_buffers()) state.erase(prefix + name);
  });
  return state;
}

std::vector<ParameterGroup> parameter_groups(torch::nn::Module& module, const Kind<Optimizer>::Common& options) {
  const auto facts = facts_of(module);
  if (options.layer_decay != 1 && facts.deepest < 0)
    throw SpecError("/optimizer/layer_decay", "does not apply to this model, which has no stages; remove it");
  if (options.head_lr_scale != 1 && facts.head.empty())
    throw SpecError("/optimizer/head_lr_scale", "does not apply to this model, which defines no head; use \"groups\"");
  std::vector<std::size_t> matches(options.groups.size());
  std::map<std::pair<double, bool>, ParameterGroup> groups;
  for (auto& item : module.named_parameters()) {
    const auto& name = item.key();
    double scale = 1;
    if (const auto depth = facts.depth.find(name); depth != facts.depth.end())
      scale = std::pow(options.layer_decay, facts.deepest + 1 - depth->second);
    if (facts.head.count(name)) scale *= options.head_lr_scale;
    bool decay = !facts.never_decays.count(name) && (options.decay_norms || !facts.norm_or_bias.count(name));
    bool frozen = !item.value().requires_grad();
    for (std::size_t i = 0; i < options.groups.size(); ++i) {
      const auto& rule = options.groups[i];
      if (!matches_pattern(name, rule.match)) continue;
      ++matches[i];
      scale *= rule.lr_scale;
      decay = rule.decay.value_or(decay);
      frozen = rule.freeze.value_or(frozen);
    }
    if (item.value().requires_grad() == frozen) item.value().set_requires_grad(!frozen);
    if (frozen) continue;
    auto& group = groups[{scale, decay}];
    group.names.push_back(name);
    group.parameters.push_back(item.value());
  }
  refuse_unmatched(module, options, matches);
  if (groups.empty() && options.groups.empty())
    throw PluginError("/model",
                      "has no parameter that requires a gradient: its constructor must register parameters and layers "
                      "(register_parameter, register_module), and not all may be frozen");
  if (groups.empty()) throw SpecError("/optimizer/groups", "freezes all parameters: there is nothing to train");
  std::vector<ParameterGroup> result;
  for (auto& [key, group] : groups) {
    group.lr_scale = key.first;
    group.decay = key.second;
    result.push_back(std::move(group));
  }
  return result;
}

void freeze(torch::nn::Module& module, int stages, const std::string& name) {
  if (stages == 0) return;
  const auto* rules = dynamic_cast<const WeightRules*>(&module);
  const auto depth = [&](const std::string& parameter) { return rules ? rules->depth(parameter) : -1; };
  int known = 0;
  for (const auto& item : module.named_parameters()) known = std::max(known, depth(item.key()) + 1);
  if (known == 0)
    throw OptionError("freeze", "does not apply to " + name +
                                    ", which has no stages; remove it, or freeze parameters with /optimizer/groups");
  if (stages > known)
    throw OptionError("freeze",
                      "is " + std::to_string(stages) + ", and " + name + " has " + std::to_string(known) + " stages");
  for (auto& item : module.named_parameters())
    if (const int d = depth(item.key()); d >= 0 && d < stages) item.value().set_requires_grad(false);
}

int prepare_for_inference(torch::nn::Module& module, const InferencePlan& plan) {
  const c10::AutoGradMode no_grad(false);
  int count = 0;
  module.eval();
  to_device(module, plan.device);
  each<InferenceForm>(module, [&](const std::string& prefix, InferenceForm& layer) {
    try {
      layer.prepare_for_inference(plan);
    } catch (const PluginError& error) {
      throw PluginError(prefix.empty() ? "model" : prefix.substr(0, prefix.size() - 1), error.what());
    }
    ++count;
  });
  return count;
}

int connect(torch::nn::Module& module, std::shared_ptr<const Ranks> ranks) {
  int count = 0;
  each<AcrossRanks>(module, [&](const std::string&, AcrossRanks& part) {
    part.use(ranks);
    ++count;
  });
  return count;
}

void to_format(torch::nn::Module& module, at::MemoryFormat format) {
  const c10::AutoGradMode no_grad(false);
  for (auto& parameter : module.parameters())
    if (parameter.dim() == 4) parameter.set_data(parameter.contiguous(format));
}

void to_device(torch::nn::Module& module, const at::Device& device) { module.to(device); }
void to_double(torch::nn::Module& module) {
  const c10::AutoGradMode no_grad(false);
  for (auto& [name, tensor] : all_tensors(module))  // Module::to would also convert counters to double
    if (tensor.is_floating_point()) tensor.set_data(tensor.to(at::kDouble));
}
bool is_training(const torch::nn::Module& module) { return module.is_training(); }
void set_training(torch::nn::Module& module, bool on) {
  module.train(on);
  if (on) keep_frozen_statistics(module, false);
}

}  // namespace sectile
