"""Expected parameters after 20 steps of torch.optim.AdamW, and the factors of PolynomialLR. Writes optimizers.json.

The problem: a matrix [4, 5] that decays and a bias [5] that does not; the loss is the mean over inputs made by
formula.py of (tanh(x W + b) - target)^2. In step 7 the bias has no gradient.
"""
import json
import pathlib

import numpy as np
import torch

from formula import uniform

STEPS = 20


def made(stream, shape, dtype):
    return torch.from_numpy(-1 + 2 * uniform((5, stream), int(np.prod(shape)))).reshape(shape).to(dtype)


def run(dtype, lr_scale, options):
    weight, bias = made(0, [4, 5], dtype).requires_grad_(), made(1, [5], dtype).requires_grad_()
    x, target = made(2, [8, 4], dtype), made(3, [8, 5], dtype)
    decay = options.pop("weight_decay")
    optimizer = torch.optim.AdamW([{"params": [weight], "weight_decay": decay},
                                   {"params": [bias], "weight_decay": 0.0, "lr": 0.05 * lr_scale}],
                                  lr=0.05, foreach=False, fused=False, **options)
    for step in range(STEPS):
        optimizer.zero_grad()
        ((torch.tanh(x @ weight + bias) - target) ** 2).mean().backward()
        if step == 7:
            bias.grad = None
        optimizer.step()
    return dict(weight=weight.flatten().tolist(), bias=bias.tolist())


def adamw():
    for dtype in (torch.float32, torch.float64):
        for options in (dict(weight_decay=1e-2), dict(weight_decay=0.3, betas=[0.8, 0.95], eps=1e-6, amsgrad=True)):
            for lr_scale in (1, 0.1):
                yield dict(type=str(dtype).split(".")[1], lr_scale=lr_scale, options=dict(options),
                           **run(dtype, lr_scale, dict(options)))


def poly():
    for total, power in ((7, 0.9), (10, 2.0), (1, 0.9)):
        optimizer = torch.optim.SGD([torch.zeros(1)], lr=1.0)
        schedule = torch.optim.lr_scheduler.PolynomialLR(optimizer, total_iters=total, power=power)
        factors = []
        for _ in range(total):
            factors.append(schedule.get_last_lr()[0])
            optimizer.step()
            schedule.step()
        yield dict(total=total, power=power, factors=factors)


def main():
    lines = lambda cases: "[\n" + ",\n".join(json.dumps(case) for case in cases) + "\n]"
    text = f'{{"adamw": {lines(adamw())},\n"poly": {lines(poly())}}}\n'
    pathlib.Path(__file__).with_suffix(".json").write_text(text)


main()
