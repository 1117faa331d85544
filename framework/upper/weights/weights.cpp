#include "weights.h"

#include <algorithm>
#include <cmath>
#include <set>

#include <ATen/ATen.h>
#include <c10/core/GradMode.h>

#include <torch/nn/module.h>

#include <sectile/error.h>

namespace sectile {
namespace {

// Calls use(prefix, role) for every module of the tree that has the role.
template <class Role, class Use>
void each(torch::nn::Module& root, Use use) {
  for (const auto& item : root.named_modules("", /*include_self=*/false))
    if (auto* role = dynamic_cast<Role*>(item.value().get())) use(item.key() + ".", *role);
  if (auto* role = dynamic_cast<Role*>(&root)) use(std::string(), *role);
}

bool starts(const std::string& text, const std::string& prefix) { return text.compare(0, prefix.size(), prefix) == 0; }

StateDict all_tensors(torch::nn::Module& module) {
  StateDict state;
  for (const auto& item : module.named_parameters()) state[item.key()] = item.value();
  for (const auto& item : module.named_buffers()) state[item.key()] = item.value();
  return state;
}

}  // namespace

StateDict state_dict(torch::nn::Module& module) {
  auto state = all_tensors(module);
  each<WeightRules>(module, [&](const std::string& prefix, WeightRules& rules) {
    for (const auto& name : rules.transient_buffers()) state.erase(prefix + name);
  });
  return state;
}

LoadReport load_state(torch::nn::Module& module, const StateDict& file) {
  const c10::AutoGradMode no_grad(false);
  const auto ours = state_dict(module);
  std::vector<Dialect> dialects{{}};
  std::vector<std::string> heads;
  each<WeightRules>(module, [&](const std::string& prefix, WeightRules& rules) {
    for (const auto& name : rules.head()) heads.push_back(prefix + name);
    if (prefix.empty())
      for (auto& dialect : rules.dialects()) dialects.push_back(std::move(dialect));
  });
  const auto translated = [&](const Dialect& dialect) {
    StateDict result;
    for (const auto& [name, tensor] : file) {
      std::string renamed = name;
      for (const auto& [theirs, own] : dialect.renames)
        if (starts(name, theirs)) {
          renamed = own + name.substr(theirs.size());
          break;
        }
      result[renamed] = tensor;
    }
    return result;
  };
  const auto matches = [&](const Dialect& dialect) {  // the dialect that explains most names is the file's
    const auto names = translated(dialect);
    return std::count_if(names.begin(), names.end(), [&](const auto& item) { return ours.count(item.first); });
  };
  const auto best = std::max_element(dialects.begin(), dialects.end(),
                                     [&](const auto& a, const auto& b) { return matches(a) < matches(b); });
  auto state = translated(*best);
  LoadReport report;
  report.dialect = best->name;
  for (auto [name, tensor] : ours) {
    const auto found = state.find(name);
    if (found == state.end()) {
      report.missing.push_back(name);
      continue;
    }
    if (found->second.sizes() == tensor.sizes()) {
      tensor.copy_(found->second);
      report.loaded.push_back(name);
    } else if (std::any_of(heads.begin(), heads.end(), [&, n = name](const auto& head) { return starts(n, head); })) {
      report.reshaped.push_back(name);
    } else {
      throw DataError(name, "has another shape in the file, and no head rule covers it");
    }
    state.erase(found);
  }
  for (const auto& [name, tensor] : state)
    if (!ours.count(name)) report.unexpected.push_back(name);
  return report;
}

std::vector<ParameterGroup> parameter_groups(torch::nn::Module& module, double layer_decay) {
  std::set<std::string> plain;  // neither norms nor biases decay
  each<torch::nn::Module>(module, [&](const std::string& prefix, torch::nn::Module& part) {
    const bool norm = part.name().find("Norm") != std::string::npos && part.children().empty();
    for (const auto& item : part.named_parameters(/*recurse=*/false))
      if (norm || item.value().dim() <= 1) plain.insert(prefix + item.key());
  });
  std::map<std::string, int> depth;
  int deepest = -1;
  each<WeightRules>(module, [&](const std::string& prefix, WeightRules& rules) {
    for (const auto& item : module.named_parameters()) {
      if (!starts(item.key(), prefix)) continue;
      const auto name = item.key().substr(prefix.size());
      if (const int d = rules.depth(name); d >= 0) depth[item.key()] = d, deepest = std::max(deepest, d);
      if (!rules.decays(name)) plain.insert(item.key());
    }
  });
  std::map<std::pair<double, bool>, ParameterGroup> groups;
  for (const auto& item : module.named_parameters()) {
    if (!item.value().requires_grad()) continue;
    const auto found = depth.find(item.key());
    const double scale = found == depth.end() ? 1 : std::pow(layer_decay, deepest + 1 - found->second);
    auto& group = groups[{scale, plain.count(item.key()) == 0}];
    group.names.push_back(item.key());
    group.parameters.push_back(item.value());
  }
  std::vector<ParameterGroup> result;
  for (auto& [key, group] : groups) {
    group.lr_scale = key.first;
    group.decay = key.second;
    result.push_back(std::move(group));
  }
  return result;
}

void freeze(torch::nn::Module& module, int stages) {
  auto* rules = dynamic_cast<WeightRules*>(&module);
  for (auto& item : module.named_parameters()) {
    const int depth = rules ? rules->depth(item.key()) : -1;
    if (depth >= 0 && depth < stages) item.value().set_requires_grad(false);
  }
}

int prepare_for_inference(torch::nn::Module& module) {
  const c10::AutoGradMode no_grad(false);
  int count = 0;
  module.eval();
  each<InferenceForm>(module, [&](const std::string&, InferenceForm& block) {
    block.prepare_for_inference();
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

void to_channels_last(torch::nn::Module& module) {
  const c10::AutoGradMode no_grad(false);
  for (auto& parameter : module.parameters())
    if (parameter.dim() == 4) parameter.set_data(parameter.contiguous(at::MemoryFormat::ChannelsLast));
}

void to_device(torch::nn::Module& module, const at::Device& device) { module.to(device); }
bool is_training(const torch::nn::Module& module) { return module.is_training(); }
void set_training(torch::nn::Module& module, bool on) { module.train(on); }

}  // namespace sectile
