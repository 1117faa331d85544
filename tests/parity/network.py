"""Expected values of a network with weights by name: outputs and gradients in float64 (README.md, "Networks")."""

import json
from pathlib import Path

import torch

import name_hash


def without_dropout(net):
    for module in net.modules():
        if isinstance(module, (torch.nn.Dropout, torch.nn.Dropout2d)):
            module.p = 0.0
    return net


def _sample(tensor, count):
    flat = tensor.detach().double().flatten()
    positions = [min(k * flat.numel() // count + k % 7, flat.numel() - 1) for k in range(count)]
    return {
        "shape": list(tensor.shape),
        "largest": float(f"{flat.abs().max().item():.12g}"),
        "positions": positions,
        "values": [float(f"{flat[position].item():.12g}") for position in positions],
    }


def _projected(name, gradient):
    """All of a gradient in one number: its product with numbers in [-1, 1) by the hash of "gradient NAME"."""
    v = torch.from_numpy(name_hash.uniform(f"gradient {name}", gradient.numel())).view(gradient.shape)
    return (gradient * v).sum().item()


def expected(net, shapes, outputs, samples=16):
    """net: the original, made with 3 channels or as `shapes` say. outputs(net, images): a list of tensors."""
    net = without_dropout(net.double())
    cases, unused = [], set()
    for shape in shapes:
        images = name_hash.picture(*shape).double()
        name_hash.fill(net)
        net.zero_grad(set_to_none=True)
        net.train()
        made = outputs(net, images)
        loss = sum(
            (output * torch.from_numpy(name_hash.uniform(f"output {k}", output.numel())).view(output.shape)).mean()
            for k, output in enumerate(made)
        )
        loss.backward()
        trained = [_sample(output, samples) for output in made]
        gradients = {name: p.grad for name, p in sorted(net.named_parameters()) if p.grad is not None}
        idle = {name.rpartition(".")[0] for name, p in net.named_parameters() if p.grad is None}
        unused |= {name for name in net.state_dict() if name.rpartition(".")[0] in idle}
        largest = max(gradient.abs().max().item() for gradient in gradients.values())
        name_hash.fill(net)
        net.eval()
        with torch.no_grad():
            evaluated = [_sample(output, samples) for output in outputs(net, images)]
        cases.append(
            {
                "input": list(shape),
                "train": trained,
                "eval": evaluated,
                "largest_gradient": float(f"{largest:.6g}"),
                "gradients": [float(f"{_projected(name, g):.10g}") for name, g in gradients.items()],
            }
        )
    lines = sorted(
        " ".join([name, *map(str, tensor.shape)]) for name, tensor in net.state_dict().items() if name not in unused
    )
    return {
        "parameters": sum(p.numel() for name, p in net.named_parameters() if name not in unused),
        "tensors": len(lines),
        "names": f"{name_hash.fnv1a(chr(10).join(lines)):016x}",
        "unused": sorted(unused),
        "cases": cases,
    }


def names(net):
    """For a person: what the digest is of, when it differs."""
    return "\n".join(sorted(" ".join([name, *map(str, t.shape)]) for name, t in net.state_dict().items()))


def write(script, networks):
    """networks: {name: expected(…)}, to a file beside the script."""
    entries = []
    for name, network in networks.items():
        cases = ",\n  ".join(json.dumps(case, separators=(",", ":")) for case in network["cases"])
        head = {key: value for key, value in network.items() if key != "cases"}
        entries.append(f'"{name}": {json.dumps(head)[:-1]}, "cases": [\n  {cases}]}}')
    Path(script).with_suffix(".json").write_text("{\n" + ",\n".join(entries) + "\n}\n")
