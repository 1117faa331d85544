// Conversion of an optimizer's state from and to torch.optim's state dict, so that Python can resume a run, and the
// reverse.
#pragma once

#include <filesystem>
#include <vector>

#include <sectile/optimizer.h>

#include "../weights/files/torch/torch_file.h"

namespace sectile {

// {"state": {0: {"step": …, "exp_avg": …}, …}, "param_groups": [{"lr": …, "betas": …, "params": [0, …],
// "param_names": [...]}, …]}. lr: of the next step, before the groups' factors.
PythonValue optimizer_state(const Optimizer& optimizer, const Ref<Optimizer>& recipe,
                            const std::vector<ParameterGroup>& groups, double lr);

// Parameters are matched by name. Throws DataError naming the file.
void load_optimizer_state(Optimizer& optimizer, const PythonValue& state, const std::filesystem::path& file);

}  // namespace sectile
