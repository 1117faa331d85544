#include "optimizer_state.h"

#include <sectile/error.h>

#include "../../ground/spec/pipeline_spec.h"

namespace sectile {
namespace {

PythonValue python(const Scalar& scalar) {
  return std::visit([](const auto& value) { return PythonValue(value); }, scalar);
}
PythonValue python(const std::vector<Scalar>& scalars) {
  PythonList list;
  for (const auto& scalar : scalars) list.push_back(python(scalar));
  return list;
}

}  // namespace

PythonValue optimizer_state(const Optimizer& optimizer, const Ref<Optimizer>& recipe,
                            const std::vector<ParameterGroup>& groups, double lr) {
  const auto remembered = optimizer.state();
  const auto options = plain_values(recipe);
  PythonDict states;
  PythonList param_groups;
  std::int64_t number = 0;
  for (const auto& group : groups) {
    PythonDict entry{{"lr", lr * group.lr_scale}, {"initial_lr", recipe.common().lr * group.lr_scale}};
    for (const auto& [name, value] : options)
      entry.emplace_back(name, name == "weight_decay" && !group.decay
                                   ? PythonValue(0.0)
                                   : std::visit([](const auto& held) { return python(held); }, value));
    PythonList params, names;
    for (const auto& name : group.names) {
      if (const auto found = remembered.find(name); found != remembered.end()) {
        PythonDict state;
        for (const auto& [key, tensor] : found->second) state.emplace_back(key, tensor);
        states.emplace_back(number, std::move(state));
      }
      names.push_back(name);
      params.push_back(number++);
    }
    entry.emplace_back("param_names", std::move(names));
    entry.emplace_back("params", std::move(params));
    param_groups.push_back(std::move(entry));
  }
  return PythonDict{{"state", std::move(states)}, {"param_groups", std::move(param_groups)}};
}

void load_optimizer_state(Optimizer& optimizer, const PythonValue& state, const std::filesystem::path& file) {
  const auto damaged = [&] { return DataError(file, "is a damaged checkpoint: its optimizer's state makes no sense"); };
  const auto* param_groups = state.find("param_groups");
  const auto* states = state.find("state");
  if (!param_groups || !param_groups->list() || !states || !states->dict()) throw damaged();
  std::map<std::int64_t, std::string> names;
  for (const auto& group : *param_groups->list()) {
    const auto* group_names = group.find("param_names");
    const auto* params = group.find("params");
    if (!group_names || !group_names->list() || !params || !params->list() ||
        params->list()->size() != group_names->list()->size())
      throw damaged();
    for (std::size_t i = 0; i < params->list()->size(); ++i) {
      const auto* number = (*params->list())[i].as<std::int64_t>();
      const auto* name = (*group_names->list())[i].as<std::string>();
      if (!number || !name) throw damaged();
      names[*number] = *name;
    }
  }
  std::map<std::string, ParameterState> remembered;
  for (const auto& [key, value] : *states->dict()) {
    const auto* number = key.as<std::int64_t>();
    if (!number || !names.count(*number) || !value.dict()) throw damaged();
    auto& parameter = remembered[names[*number]];
    for (const auto& [name, item] : *value.dict())
      if (const auto* text = name.as<std::string>(); text && item.as<at::Tensor>())
        parameter[*text] = *item.as<at::Tensor>();
  }
  optimizer.load(remembered);
}

}  // namespace sectile
