"""Weights and pictures computed from formulas (README.md), and the files of expected values."""

import json
from pathlib import Path

import numpy as np
import torch

SAMPLES = 64


def fnv1a(text):
    value = 0xCBF29CE484222325
    for byte in text.encode():
        value = (value ^ byte) * 0x100000001B3 % 2**64
    return value


def uniform(name, count):
    """Numbers in [-1, 1), float64 [count]."""
    index = np.arange(1, count + 1, dtype=np.uint64)
    z = np.uint64(fnv1a(name)) + index * np.uint64(0x9E3779B97F4A7C15)
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    z ^= z >> np.uint64(31)
    return (z >> np.uint64(11)).astype(np.float64) * 2.0**-52 - 1


def weights(name, shape):
    """float64, of the given shape."""
    if name.endswith("num_batches_tracked"):
        return np.zeros(shape)
    count = int(np.prod(shape))
    v = uniform(name, count).reshape(shape)
    if len(shape) >= 2:
        return v * np.sqrt(6 / (count // shape[0]))
    around_one = name.endswith(".weight") or name.endswith(".running_var")
    return (1 if around_one else 0) + 0.1 * v


@torch.no_grad()
def fill(module):
    for name, tensor in module.state_dict().items():
        tensor.copy_(torch.from_numpy(weights(name, tuple(tensor.shape))))


def picture(*shape):
    return torch.from_numpy(np.sin(0.1 * np.arange(np.prod(shape))).astype(np.float32).reshape(shape))


def sample(tensor):
    flat = tensor.detach().double().flatten()
    positions = [k * flat.numel() // SAMPLES + k % 7 for k in range(SAMPLES)]
    positions = [min(position, flat.numel() - 1) for position in positions]
    return {
        "shape": list(tensor.shape),
        "largest": flat.abs().max().item(),
        "positions": positions,
        "values": [float(f"{flat[position].item():.7g}") for position in positions],
    }


def write(script, name, module, cases):
    """cases: a list of {"input": shape, "outputs": [tensor, …]}."""
    folder = Path(script).parent
    names = [" ".join([key, *map(str, tensor.shape)]) for key, tensor in module.state_dict().items()]
    (folder / f"{name}_names.txt").write_text("\n".join(names) + "\n")
    lines = [
        json.dumps({"input": case["input"], "outputs": [sample(output) for output in case["outputs"]]})
        for case in cases
    ]
    count = sum(parameter.numel() for parameter in module.parameters())
    (folder / f"{name}.json").write_text(f'{{"parameters": {count}, "cases": [\n' + ",\n".join(lines) + "\n]}\n")
