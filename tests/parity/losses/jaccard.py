"""Expected values of the Jaccard loss by segmentation_models_pytorch 0.6.0, and by its formula.

    python tests/parity/losses/jaccard.py
"""

import torch
from segmentation_models_pytorch.losses import JaccardLoss

from cases import probabilities, target_of, write

SMP = {"absent": "zero"}


def formula(logits, labels, options):
    target, counted = target_of(labels, logits)
    p, y = (probabilities(logits, labels, options) * counted).flatten(2), target.flatten(2)
    dims = (2,) if options.get("over") == "sample" else (0, 2)
    overlap, predicted, truth = (p * y).sum(dims), p.sum(dims), y.sum(dims)
    smooth = options.get("smooth", 0)
    loss = 1 - (overlap + smooth) / (predicted + truth - overlap + smooth).clamp_min(1e-7)
    loss = loss * (counted.flatten(2).sum(dims) > 0)
    absent = options.get("absent", "count")
    if absent == "count":
        return loss.mean()
    loss = loss * (truth > 0)
    return loss.mean() if absent == "zero" else loss.sum() / (truth > 0).sum().clamp_min(1)


def reference(logits, labels, options):
    loss = formula(logits, labels, options)
    if options == SMP and not labels.is_floating_point() and (labels >= 0).all() and logits.shape[1] > 1:
        by_smp = JaccardLoss("multiclass")(logits.flatten(2).unsqueeze(3), labels.flatten(1).unsqueeze(2))
        assert torch.allclose(by_smp, loss, rtol=1e-9, atol=0), (by_smp, loss)
        return by_smp
    return loss


if __name__ == "__main__":
    write(__file__, reference, [SMP, {}, {"smooth": 1}, {"over": "sample", "absent": "skip"}, {"activation": "sigmoid"}])
