"""Expected parameters after 20 steps of torch.optim's AdamW, Adam and SGD, lion-pytorch's Lion and timm's Lamb. Writes
optimizers.json.

The problem: a matrix [4, 5] and a filter [2, 3, 2, 2] that decay, and a bias [5] that does not; the loss is the mean over
inputs made by formula.py of (tanh(x W + b) - target)^2, plus that of (tanh(f z) - 0.5)^2. In step 7 the bias has no
gradient.
"""
import json
import pathlib

import lion_pytorch
import numpy as np
import timm.optim
import torch

from formula import uniform

STEPS = 20
LR = 0.05
BIAS_LR_SCALE = 0.1


def made(stream, shape, dtype):
    return torch.from_numpy(-1 + 2 * uniform((5, stream), int(np.prod(shape)))).reshape(shape).to(dtype)


class Separately:
    """One optimizer for each group: timm counts a group's steps even where its only parameter had no gradient."""

    def __init__(self, make, groups):
        self.optimizers = [make([group], lr=LR) for group in groups]

    def step(self):
        for optimizer in self.optimizers:
            if any(p.grad is not None for group in optimizer.param_groups for p in group["params"]):
                optimizer.step()


def run(make, dtype, options):
    weight, bias = made(0, [4, 5], dtype).requires_grad_(), made(1, [5], dtype).requires_grad_()
    filters = made(4, [2, 3, 2, 2], dtype).requires_grad_()
    x, target, z = made(2, [8, 4], dtype), made(3, [8, 5], dtype), made(5, [2, 3, 2, 2], dtype)
    options = dict(options)
    decay = options.pop("weight_decay", 0.0)
    groups = [{"params": [weight, filters], "weight_decay": decay},
              {"params": [bias], "weight_decay": 0.0, "lr": LR * BIAS_LR_SCALE}]
    optimizer = make(groups, options)
    for step in range(STEPS):
        for parameter in (weight, bias, filters):
            parameter.grad = None
        loss = ((torch.tanh(x @ weight + bias) - target) ** 2).mean() + ((torch.tanh(filters * z) - 0.5) ** 2).mean()
        loss.backward()
        if step == 7:
            bias.grad = None
        optimizer.step()
    return dict(weight=weight.flatten().tolist(), bias=bias.tolist(), filters=filters.flatten().tolist())


def plain(optimizer):
    return lambda groups, options: optimizer(groups, lr=LR, foreach=False, fused=False, **options)


def lion(groups, options):
    return lion_pytorch.Lion(groups, lr=LR, **options)


def lamb(groups, options):
    return Separately(lambda group, lr: timm.optim.Lamb(group, lr=lr, max_grad_norm=None, **options), groups)


ADAM = [dict(weight_decay=1e-2), dict(weight_decay=0.3, betas=[0.8, 0.95], eps=1e-6, amsgrad=True)]
CASES = {
    "adamw": (plain(torch.optim.AdamW), ADAM),
    "adam": (plain(torch.optim.Adam), ADAM),
    "sgd": (plain(torch.optim.SGD), [dict(momentum=0.0), dict(momentum=0.9, weight_decay=1e-2),
                                     dict(momentum=0.8, weight_decay=0.1, nesterov=True),
                                     dict(momentum=0.7, dampening=0.3)]),
    "lion": (lion, [dict(weight_decay=0.1), dict(betas=[0.8, 0.95])]),
    "lamb": (lamb, [dict(weight_decay=1e-2), dict(weight_decay=0.1, betas=[0.8, 0.95], eps=1e-3, trust_clip=True),
                    dict(weight_decay=0.0), dict(weight_decay=0.0, always_adapt=True)]),
}


def cases(make, variants):
    for options in variants:
        for dtype in (torch.float32, torch.float64):
            yield dict(type=str(dtype).split(".")[1], options=options, **run(make, dtype, options))


def main():
    parts = [f'"{name}": [\n' + ",\n".join(json.dumps(case) for case in cases(*case)) + "\n]"
             for name, case in CASES.items()]
    pathlib.Path(__file__).with_suffix(".json").write_text("{" + ",\n".join(parts) + "}\n")


main()
