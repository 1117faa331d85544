# Writes small files of weights, as Python's tools save them, and expected.json with what is in them.
# python make.py, with torch 2, numpy and safetensors; the files are overwritten.
import argparse
import collections
import json
import os
import pickle

import numpy
import safetensors.torch
import torch

os.chdir(os.path.dirname(os.path.abspath(__file__)))
torch.manual_seed(0)


class Net(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = torch.nn.Conv2d(2, 3, 3)
        self.bn = torch.nn.BatchNorm2d(3)
        self.head = torch.nn.Linear(3, 2)
        self.register_buffer("grid", torch.arange(3.0), persistent=False)

    def forward(self, x):
        return self.head(self.bn(self.conv(x)).mean((2, 3)))


class Touch:  # what a file that wants to run code asks for
    def __reduce__(self):
        return os.system, ("touch pwned",)


net = Net()
net.bn.running_mean += 0.5
state = net.state_dict()
expected = {}


def facts(tensors):
    return {
        name: {"type": str(t.dtype).removeprefix("torch."), "shape": list(t.shape), "sum": t.double().sum().item()}
        for name, t in tensors.items()
    }


def save(name, value, tensors, **options):
    torch.save(value, name, **options)
    expected[name] = facts(tensors)


save("zip.pth", state, state)
save("protocol4.pth", state, state, pickle_protocol=4)
save("legacy.pth", state, state, _use_new_zipfile_serialization=False)
save("half.pth", {k: v.half() for k, v in state.items()}, {k: v.half() for k, v in state.items()})
save("bfloat16.pth", {k: v.bfloat16() for k, v in state.items()}, {k: v.bfloat16() for k, v in state.items()})
save("nested.pth", {"epoch": 3, "best": torch.ones(1), "model_state": state, "ema": {k: v * 2 for k, v in state.items()}}, state)
save("prefixed.pth", {"state_dict": {"module." + k: v for k, v in state.items()}}, {"module." + k: v for k, v in state.items()})
tied = {"emb.weight": state["head.weight"], "out.weight": state["head.weight"], "part": state["head.weight"][1]}
save("tied.pth", tied, tied)
save("tied_legacy.pth", tied, tied, _use_new_zipfile_serialization=False)
values = torch.arange(36.0)
strided = {
    "channels_last": values.view(2, 2, 3, 3).contiguous(memory_format=torch.channels_last),
    "transposed": values[:6].view(2, 3).t(),
    "slice": values.view(6, 6)[1:3, 2:5],
    "scalar": torch.tensor(7.5),
    "empty": torch.empty(0, 4),
    "expanded": torch.tensor([3.0]).expand(2, 5),
}
save("strides.pth", strided, strided)
expected["strides"] = {k: v.flatten().tolist() for k, v in strided.items()}
save("module.pth", net, state)
save("module_legacy.pth", net, state, _use_new_zipfile_serialization=False)
save("parameters.pth", {"net": dict(net.named_parameters())}, dict(net.named_parameters()))
arguments = argparse.Namespace(lr=0.1, layers=[1, 2])
save("arguments.pth", {"args": arguments, "state_dict": state}, state)
numbers = {"a": numpy.arange(6, dtype="f4").reshape(2, 3), "b": numpy.asfortranarray(numpy.arange(6.0).reshape(2, 3)), "c": numpy.array([1, -2], "i8")}
save("numpy.pth", {"score": numpy.float64(0.5), "weights": numbers}, {k: torch.tensor(v) for k, v in numbers.items()})
save("code.pth", {"hook": Touch(), "state_dict": state}, state)
typed = {"u16": torch.arange(3).to(torch.uint16), "f8": torch.arange(3.0).to(torch.float8_e4m3fn)}
save("new_types.pth", typed, typed)
with torch.no_grad():
    torch.jit.script(net).save("script.pt")
expected["script.pt"] = facts({**state, "grid": net.grid})
normed = torch.nn.utils.weight_norm(torch.nn.Linear(3, 4))
with torch.no_grad():
    normed.weight_g.mul_(1.5)
save("weight_norm.pth", normed.state_dict(), normed.state_dict())
parametrized = torch.nn.utils.parametrizations.weight_norm(torch.nn.Conv2d(2, 3, 1))
with torch.no_grad():
    parametrized.parametrizations.weight.original0.mul_(0.5)
save("parametrized.pth", parametrized.state_dict(), parametrized.state_dict())
expected["computed"] = {
    "weight_norm.pth": facts({"weight": torch._weight_norm(normed.weight_v, normed.weight_g, 0)}),
    "parametrized.pth": facts({"weight": parametrized.weight}),
}

safetensors.torch.save_file({**state, "half": state["conv.weight"].half(), "b": state["conv.weight"].bfloat16()}, "plain.safetensors", metadata={"format": "pt"})
expected["plain.safetensors"] = facts({**state, "half": state["conv.weight"].half(), "b": state["conv.weight"].bfloat16()})
names = list(state)
parts = {f"model-0000{i + 1}-of-00002.safetensors": names[i::2] for i in range(2)}
os.makedirs("sharded", exist_ok=True)
for part, members in parts.items():
    safetensors.torch.save_file({name: state[name] for name in members}, "sharded/" + part)
with open("sharded/model.safetensors.index.json", "w") as file:
    json.dump({"metadata": {"total_size": 1}, "weight_map": {name: part for part, members in parts.items() for name in members}}, file)
expected["sharded"] = facts(state)
with open("expected.json", "w") as file:
    json.dump(expected, file, indent=1)
    file.write("\n")
