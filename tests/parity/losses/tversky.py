"""Expected values of the Tversky loss by segmentation_models_pytorch 0.6.0 and its formula; of focal Tversky (Abraham &
Khan 2018) by its formula.

    python tests/parity/losses/tversky.py
"""

from pathlib import Path

import torch
from segmentation_models_pytorch.losses import TverskyLoss

from cases import probabilities, target_of, write

SMP = {"absent": "zero", "alpha": 0.3, "beta": 0.8}


def per_class(logits, labels, options, alpha, beta, smooth):
    target, counted = target_of(labels, logits)
    p, y, counted = (probabilities(logits, labels, options) * counted).flatten(2), target.flatten(2), counted.flatten(2)
    dims = (2,) if options.get("over") == "sample" else (0, 2)
    tp, fp, fn = (p * y).sum(dims), (p * (1 - y)).sum(dims), ((1 - p) * y * counted).sum(dims)
    loss = 1 - (tp + smooth) / (tp + alpha * fp + beta * fn + smooth).clamp_min(1e-7)
    return loss * (counted.sum(dims) > 0), y.sum(dims) > 0


def mean(loss, present, absent):
    if absent == "count":
        return loss.mean()
    loss = loss * present
    return loss.mean() if absent == "zero" else loss.sum() / present.sum().clamp_min(1)


def tversky(logits, labels, options):
    loss, present = per_class(
        logits, labels, options, options.get("alpha", 0.5), options.get("beta", 0.5), options.get("smooth", 0)
    )
    loss = mean(loss, present, options.get("absent", "count"))
    if options == SMP and not labels.is_floating_point() and (labels >= 0).all() and logits.shape[1] > 1:
        by_smp = TverskyLoss("multiclass", alpha=0.3, beta=0.8)(
            logits.flatten(2).unsqueeze(3), labels.flatten(1).unsqueeze(2)
        )
        assert torch.allclose(by_smp, loss, rtol=1e-9, atol=0), (by_smp, loss)
        return by_smp
    return loss


def focal_tversky(logits, labels, options):
    loss, present = per_class(
        logits, labels, options, options.get("alpha", 0.3), options.get("beta", 0.7), options.get("smooth", 1)
    )
    loss = loss.clamp_min(1e-12) ** (1 / options.get("gamma", 4 / 3))
    return mean(loss, present, options.get("absent", "count"))


if __name__ == "__main__":
    write(__file__, tversky, [SMP, {}, {"smooth": 1}, {"over": "sample", "absent": "skip", "alpha": 0.7}])
    write(
        Path(__file__).with_name("focal_tversky.py"),
        focal_tversky,
        [{}, {"gamma": 2}, {"gamma": 0.75, "alpha": 0.5, "beta": 0.5}, {"absent": "skip", "over": "sample"}],
    )
