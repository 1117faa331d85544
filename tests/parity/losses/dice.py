"""Expected values of the Dice loss by segmentation_models_pytorch 0.6.0 and MONAI, and by its formula.

    python tests/parity/losses/dice.py

nnU-Net's loss is -Dice; the 1 that makes it 1 - Dice is added here. PaddleSeg's formula is that of its DiceLoss
(smooth 1, eps 1e-8). segmentation_models_pytorch adds smooth to half of what others divide by.
"""

import torch
from monai.losses import DiceLoss as MonaiDice
from segmentation_models_pytorch.losses import DiceLoss as SmpDice

from cases import probabilities, target_of, write

PRESETS = {
    "none": {"smooth": 1},
    "smp": {"smooth": 0, "eps": 1e-7, "absent": "zero"},
    "nnunet": {"smooth": 1e-5},
    "monai": {"over": "sample", "smooth": 1e-5},
    "paddleseg": {"over": "sample", "smooth": 1, "smooth_denominator": 1 + 1e-8},
    "plain": {"over": "sample", "smooth": 1, "activation": "sigmoid"},
}


def formula(logits, labels, given):
    preset = given.get("preset", "none")
    options = {**PRESETS[preset], **given}
    target, counted = target_of(labels, logits)
    p, y = (probabilities(logits, labels, options) * counted).flatten(2), target.flatten(2)
    power = 2 if options.get("squared") else 1
    dims = (2,) if options.get("over") == "sample" else (0, 2)
    overlap, size = (p * y).sum(dims), (p**power).sum(dims) + (y**power).sum(dims)
    smooth, eps = options["smooth"], options.get("eps", 0)
    size = (size + options.get("smooth_denominator", smooth)).clamp_min(eps)
    nothing = (size == 0).double()
    dice = (2 * overlap + smooth + nothing) / (size + nothing)
    loss = -dice.clamp_min(max(eps, 1e-12)).log() if options.get("log") else 1 - dice
    loss = loss * (counted.flatten(2).sum(dims) > 0)
    present = (target.flatten(2).sum(dims) > 0).double()
    background = options.get("include_background", preset != "nnunet" or labels.is_floating_point())
    if "class_weights" in options:
        weights = torch.tensor(options["class_weights"], dtype=torch.float64)
        loss = loss * (weights / weights.mean() if preset == "smp" else weights)
    if not background:
        loss, present = loss[..., 1:], present[..., 1:]
    absent = options.get("absent", "count")
    if absent == "count":
        return loss.mean()
    loss = loss * present
    return loss.mean() if absent == "zero" else loss.sum() / present.sum().clamp_min(1)


def reference(logits, labels, options):
    """By the package where nothing is ignored (MONAI knows no ignored pixels), else by the formula."""
    loss = formula(logits, labels, options)
    if (labels < 0).any() or logits.shape[1] == 1:
        return loss
    overlapping = labels.is_floating_point()
    flat, truth = logits.flatten(2).unsqueeze(3), labels.flatten(2 if overlapping else 1).unsqueeze(-1)
    by_package = None
    if options.get("preset") == "smp" and set(options) <= {"preset", "log", "smooth", "class_weights"}:
        mode = "multilabel" if overlapping else "multiclass"
        made = SmpDice(mode, log_loss=options.get("log", False), smooth=options.get("smooth", 0.0) / 2,
                       class_weights=options.get("class_weights"))
        by_package = made(flat, truth)
    elif options.get("preset") == "monai" and set(options) <= {"preset", "squared", "include_background", "over"}:
        made = MonaiDice(
            include_background=options.get("include_background", True), to_onehot_y=not overlapping,
            sigmoid=overlapping, softmax=not overlapping, squared_pred=options.get("squared", False),
            batch=options.get("over") == "batch")
        by_package = made(flat, truth if overlapping else truth.unsqueeze(1))
    if by_package is None:
        return loss
    assert torch.allclose(by_package, loss, rtol=1e-9, atol=1e-12), (by_package, loss, options)
    return by_package


if __name__ == "__main__":
    write(__file__, reference, [
        {"preset": "smp"}, {"preset": "monai"}, {"preset": "nnunet"}, {"preset": "paddleseg"}, {"preset": "plain"}, {},
        {"preset": "smp", "log": True, "smooth": 1}, {"preset": "monai", "squared": True, "include_background": False},
        {"preset": "nnunet", "over": "sample", "include_background": True}, {"preset": "monai", "over": "batch"},
        {"over": "sample", "absent": "skip", "smooth": 0.5, "smooth_denominator": 2},
    ], classes=[3, 2, 4, 5, 2, 3, 7])
