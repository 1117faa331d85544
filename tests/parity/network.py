"""Expected values of a network with weights by name: outputs and gradients in float64 (README.md, "Networks")."""

import json
from pathlib import Path

import torch

import name_hash

ORDER = ("input", "train", "eval", "largest_gradient", "gradients")


def without_dropout(net):
    """Nor stochastic depth, whose modules have a "drop_prob" in timm, transformers, mmcv and smp."""
    for module in net.modules():
        if isinstance(module, (torch.nn.Dropout, torch.nn.Dropout2d)):
            module.p = 0.0
        if hasattr(module, "drop_prob"):
            module.drop_prob = 0.0
    return net


def run(net, images):
    return net(images)


def sample(tensor, count):
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


def _layer(name):
    return name.rpartition(".")[0]


def _without_gradient(net):
    """Names that no output depends on: of parameters, and of the buffers of layers whose parameters are all such."""
    idle = {name for name, p in net.named_parameters() if p.grad is None}
    in_use = {_layer(name) for name, p in net.named_parameters() if p.grad is not None}
    layers = {_layer(name) for name in idle} - in_use
    return idle | {name for name in net.state_dict() if _layer(name) in layers}


def _trained(net, images, outputs, samples):
    net.zero_grad(set_to_none=True)
    net.train()
    made = outputs(net, images)
    loss = sum(
        (output * torch.from_numpy(name_hash.uniform(f"output {k}", output.numel())).view(output.shape)).mean()
        for k, output in enumerate(made)
    )
    loss.backward()
    gradients = {name: p.grad for name, p in sorted(net.named_parameters()) if p.grad is not None}
    largest = max(gradient.abs().max().item() for gradient in gradients.values())
    return {
        "train": [sample(output, samples) for output in made],
        "largest_gradient": float(f"{largest:.6g}"),
        "gradients": [float(f"{_projected(name, g):.10g}") for name, g in gradients.items()],
    }


def expected(net, shapes, outputs, samples=16, only_eval=(), unused=()):
    """net: the original, made with 3 channels or as `shapes` say. outputs(net, images): a list of tensors.

    only_eval: further shapes, whose cases have no "train" and no gradients, since they would take long.
    unused: names of what no output depends on, where no case is trained.
    """
    net = without_dropout(net.double())
    cases, unused = [], set(unused)
    for shape in [*shapes, *only_eval]:
        images = name_hash.picture(*shape).double()
        case = {"input": list(shape)}
        name_hash.fill(net)
        if shape in shapes:
            case |= _trained(net, images, outputs, samples)
            unused |= _without_gradient(net)
            name_hash.fill(net)
        net.eval()
        with torch.no_grad():
            case["eval"] = [sample(output, samples) for output in outputs(net, images)]
        cases.append({key: case[key] for key in ORDER if key in case})
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
        head = "".join(f'"{key}": {json.dumps(value)}, ' for key, value in network.items() if key != "cases")
        entries.append(f'"{name}": {{{head}"cases": [\n  {cases}]}}')
    Path(script).with_suffix(".json").write_text("{\n" + ",\n".join(entries) + "\n}\n")
