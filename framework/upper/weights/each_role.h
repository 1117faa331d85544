// Roles of the modules inside a network.
#pragma once

#include <string>

#include <torch/nn/module.h>

namespace sectile {

// Calls use(prefix, role) for every module that has the role, the root last, with an empty prefix.
template <class Role, class Use>
void each(torch::nn::Module& root, Use use) {
  for (const auto& item : root.named_modules("", /*include_self=*/false))
    if (auto* role = dynamic_cast<Role*>(item.value().get())) use(item.key() + ".", *role);
  if (auto* role = dynamic_cast<Role*>(&root)) use(std::string(), *role);
}

}  // namespace sectile
