"""torch.optim goes on with the optimizer of a checkpoint: torch_optimizer.py LAST.PTH TYPE"""
import sys

import torch

checkpoint = torch.load(sys.argv[1], weights_only=True)
state, model = checkpoint["optimizer"], checkpoint["model"]
groups = [{"params": [torch.nn.Parameter(model[name].clone()) for name in group["param_names"]]}
          for group in state["param_groups"]]
optimizer = {"adam": torch.optim.Adam, "adamw": torch.optim.AdamW, "sgd": torch.optim.SGD}[sys.argv[2]](groups, lr=1)
optimizer.load_state_dict(state)
for group, saved in zip(optimizer.param_groups, state["param_groups"]):
    assert group["lr"] == saved["lr"] and group["weight_decay"] == saved["weight_decay"], group
    for parameter in group["params"]:
        parameter.grad = torch.ones_like(parameter)
steps = [saved["step"].item() for saved in state["state"].values() if "step" in saved]  # torch counts on in place
optimizer.step()
assert all(saved["step"].item() == step + 1 for saved, step in zip(optimizer.state.values(), steps))
for group in optimizer.param_groups:
    assert all(torch.isfinite(parameter).all() for parameter in group["params"])
