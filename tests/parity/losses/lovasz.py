"""Expected values of Lovász-Softmax and the Lovász hinge (Berman et al. 2018), by the paper's definition in float64;
compared with segmentation_models_pytorch 0.6.0, in float32, as it takes no float64.

    python tests/parity/losses/lovasz.py
"""

import torch
from segmentation_models_pytorch.losses import LovaszLoss

from cases import IGNORE, target_of, write

VARIANTS = [
    {},
    {"per_image": True},
    {"classes": "all"},
    {"mode": "hinge"},
    {"classes": "present", "per_image": True},
    {"mode": "hinge", "classes": "present"},
]
compared = {"multiclass": 0, "binary": 0}


def jaccard_loss(wrong, truth):
    """Of sets of pixels, equations 5 and 6: |wrong| / |truth or wrong|."""
    union = (truth | wrong).sum().item()
    return wrong.sum().item() / union if union else 0.0


def extension(errors, truth):
    """Definition 1: pixels become wrong in the order of their errors."""
    wrong, before, loss = torch.zeros_like(truth), 0.0, 0.0
    for pixel in errors.detach().argsort(descending=True).tolist():
        wrong[pixel] = True
        now = jaccard_loss(wrong, truth)
        loss = loss + errors[pixel] * (now - before)
        before = now
    return loss


def of_pixels(errors, truth, counted, present_only):
    """[C, pixels]"""
    losses = [
        extension(errors[c][counted[c]], truth[c][counted[c]])
        for c in range(len(errors))
        if truth[c][counted[c]].any() or not present_only
    ]
    return sum(losses) / max(1, len(losses))


def reference(logits, labels, options):
    target, counted = target_of(labels, logits)
    hinge = labels.is_floating_point() or options.get("mode") == "hinge"
    errors = torch.relu(1 - logits * (2 * target - 1)) if hinge else (target - logits.softmax(1)).abs()
    present_only = options.get("classes", "all" if hinge else "present") == "present"
    maps = [values.flatten(2) for values in (errors, target > 0, counted > 0)]
    per_image = options.get("per_image", False)
    rows = zip(*maps) if per_image else [[values.movedim(1, 0).flatten(1) for values in maps]]
    losses = [of_pixels(*row, present_only) for row in rows]
    loss = sum(losses) / len(losses) + logits.sum() * 0

    flat_logits = logits.detach().float().flatten(2).unsqueeze(3)
    if not hinge and present_only and logits.shape[1] > 1 and (labels >= 0).flatten(1).any(1).all():
        by_smp = LovaszLoss("multiclass", per_image, IGNORE)(flat_logits, labels.flatten(1).unsqueeze(2))
        assert torch.allclose(by_smp.double(), loss, rtol=1e-5, atol=1e-6), (by_smp, loss)
        compared["multiclass"] += 1
    if hinge and not present_only and logits.shape[1] == 1:
        known = target.masked_fill(counted == 0, IGNORE).long().flatten(2).unsqueeze(3)
        by_smp = LovaszLoss("binary", per_image, IGNORE)(flat_logits, known)
        assert torch.allclose(by_smp.double(), loss, rtol=1e-5, atol=1e-6), (by_smp, loss)
        compared["binary"] += 1
    return loss


if __name__ == "__main__":
    write(__file__, reference, VARIANTS)
    print("compared with segmentation_models_pytorch:", compared)
    assert min(compared.values()) > 10
