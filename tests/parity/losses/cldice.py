"""Expected values of the clDice loss by MONAI's SoftclDiceLoss and SoftDiceclDiceLoss, which take probabilities, where no
pixel is ignored; else by its formula, in which ignored pixels are no neighbours.

    python tests/parity/losses/cldice.py
"""

import itertools

import torch
from monai.losses import SoftclDiceLoss, SoftDiceclDiceLoss

from cases import probabilities, target_of, write


def neighbours(values, offsets, outside):
    """The values at these offsets, stacked."""
    axes = values.dim() - 2
    padded = torch.nn.functional.pad(values, [1, 1] * axes, value=outside)
    size = values.shape[2:]
    return torch.stack([
        padded[(..., *(slice(1 + o, 1 + o + n) for o, n in zip(offset, size)))] for offset in offsets])


def eroded(values, counted):
    axes = values.dim() - 2
    cross = [o for o in itertools.product([-1, 0, 1], repeat=axes) if sum(map(abs, o)) <= 1]
    return neighbours(values.masked_fill(~counted, torch.inf), cross, torch.inf).amin(0)


def dilated(values, counted):
    block = list(itertools.product([-1, 0, 1], repeat=values.dim() - 2))
    return neighbours(values.masked_fill(~counted, -torch.inf), block, -torch.inf).amax(0)


def skeleton(values, counted, iterations):
    values = values.masked_fill(~counted, 0)
    found = torch.zeros_like(values)
    for _ in range(iterations + 1):
        lost = (values - dilated(eroded(values, counted), counted)).masked_fill(~counted, 0).clamp_min(0)
        found = found + (lost - found * lost).clamp_min(0)
        values = eroded(values, counted).masked_fill(~counted, 0)
    return found


def cldice(logits, labels, options):
    target, counted = target_of(labels, logits)
    p = probabilities(logits, labels, options) * counted
    chosen = [int(name) for name in options.get("include", range(p.shape[1]))]
    p, target, counted = p[:, chosen], target[:, chosen], counted[:, chosen] > 0
    iterations, smooth, alpha = options.get("iterations", 3), options.get("smooth", 1), options.get("alpha", 1)

    def share(lines, area):
        return ((lines * area).flatten(1).sum(1) + smooth) / (lines.flatten(1).sum(1) + smooth)

    precision = share(skeleton(p, counted, iterations), target)
    sensitivity = share(skeleton(target, counted, iterations), p)
    lines = 1 - 2 * precision * sensitivity / (precision + sensitivity + 1e-4)
    lines = lines * counted.flatten(1).any(1)  # an image without a pixel that counts has no error
    dice = 1 - (2 * (p * target).flatten(2).sum(2) + smooth) / ((p + target).flatten(2).sum(2) + smooth)
    loss = alpha * lines.mean() + (1 - alpha) * dice.mean()
    if (labels < 0).any():
        return loss
    given = {"iter_": iterations, "smooth_nr": smooth, "smooth_dr": smooth}
    made = SoftclDiceLoss(**given) if alpha == 1 else SoftDiceclDiceLoss(alpha=alpha, **given)
    by_monai = made(p, target)
    assert torch.allclose(by_monai, loss, rtol=1e-9, atol=1e-12), (by_monai, loss, options)
    return by_monai


if __name__ == "__main__":
    write(__file__, cldice, [
        {}, {"alpha": 0.5}, {"iterations": 1, "activation": "sigmoid"}, {"include": ["1"], "smooth": 0.1},
        {"iterations": 0, "alpha": 0.25},
    ], classes=[3, 2, 4, 5, 2, 3, 7])
