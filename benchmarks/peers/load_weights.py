"""Loads a weights file into a network that is there, and prints the seconds and the memory beside the network:
load_weights.py FILE ("make FILE" writes one, as its name ends: .pth or .safetensors)"""
import json
import sys
import time

import torch


def state():
    torch.manual_seed(0)
    shapes = {f"layers.{i}.{name}": shape for i in range(60) for name, shape in (("weight", (1024, 2048)), ("bias", (1024,)))}
    return {name: torch.randn(shape) for name, shape in shapes.items()}


def network_of(tensors):
    root = torch.nn.Module()
    for name, tensor in tensors.items():
        *path, last = name.split(".")
        owner = root
        for part in path:
            if part not in owner._modules:
                owner.add_module(part, torch.nn.Module())
            owner = owner._modules[part]
        owner.register_parameter(last, torch.nn.Parameter(torch.empty_like(tensor).zero_()))
    return root


def resident_mib(line):
    with open("/proc/self/status") as status:
        return next(int(text.split()[1]) for text in status if text.startswith(line)) / 1024


def load(file):
    if file.endswith(".safetensors"):
        from safetensors.torch import load_file
        return load_file(file)
    return torch.load(file, mmap=True, weights_only=True)


if sys.argv[1] == "make":
    if sys.argv[2].endswith(".safetensors"):
        from safetensors.torch import save_file
        save_file(state(), sys.argv[2])
    else:
        torch.save(state(), sys.argv[2])
    raise SystemExit
net = network_of(load(sys.argv[1]))
with open("/proc/self/clear_refs", "w") as peak:  # starts anew
    peak.write("5")
before = resident_mib("VmRSS:")
start = time.perf_counter()
net.load_state_dict(load(sys.argv[1]))
seconds = time.perf_counter() - start
print(json.dumps({"seconds": seconds, "beside_mib": resident_mib("VmHWM:") - before}))
