# Writes published.json: how many tensors and values the published nets have, by Python, with the shapes of the first ones.
# python published.py DATA, with torch and safetensors; DATA is the folder of SECTILE_DATA.
import glob
import json
import os
import sys

import safetensors.torch
import torch

data = sys.argv[1]
found = {}
for file in sorted(glob.glob(data + "/weights/*/*") + glob.glob(data + "/checkpoints/*")):
    if file.endswith(".safetensors"):
        state = safetensors.torch.load_file(file)
    elif file.endswith((".pth", ".th")):
        state = torch.load(file, map_location="cpu", weights_only=True)
        state = state.get("state_dict", state)
    else:
        continue
    state = {k: v for k, v in state.items() if torch.is_tensor(v)}
    names = sorted(state)
    found[os.path.relpath(file, data)] = {
        "tensors": len(state),
        "values": sum(v.numel() for v in state.values()),
        "sum": sum(v.double().sum().item() for v in state.values()),
        "shapes": {k: list(state[k].shape) for k in names[:: max(1, len(names) // 10)]},
    }
json.dump(found, open(os.path.join(os.path.dirname(os.path.abspath(__file__)), "published.json"), "w"), indent=1)
