"""Expected values of cross entropy by torch.nn.functional (binary for overlapping classes), and by mmsegmentation 1.2.2
where it divides by all pixels.

    python tests/parity/losses/cross_entropy.py
"""

import torch
import torch.nn.functional as F

from cases import IGNORE, target_of, write

import mmseg_operators  # noqa: F401  (beside formula.py, which cases.py has found)
from mmseg.models.losses import CrossEntropyLoss

CLASSES = [3, 2, 4, 5, 1, 3, 7]
VARIANTS = [
    {},
    {"class_weights": [1.5, 0.25]},
    {"average": "all"},
    {"label_smoothing": 0.1},
    {"average": "all", "label_smoothing": 0.3},
    {"average": "all", "class_weights": [1, 0, 3]},
    {"class_weights": [1, 2, 0.5, 3, 1, 0.1, 4], "label_smoothing": 0.2},
]


def reference(logits, labels, options):
    classes, axes = logits.shape[1], [1] * (logits.dim() - 2)
    weights = torch.tensor(options.get("class_weights", [1.0] * classes), dtype=torch.float64)
    smoothing, all_pixels = options.get("label_smoothing", 0.0), options.get("average") == "all"
    if labels.is_floating_point():
        target, counted = target_of(labels, logits)
        weight = counted * weights.view(-1, *axes)
        target = target * (1 - smoothing) + 0.5 * smoothing
        total = torch.tensor(labels.numel()) if all_pixels else weight.sum()
        return F.binary_cross_entropy_with_logits(logits, target, weight, reduction="sum") / total.clamp_min(1e-300)
    arguments = {"weight": weights, "ignore_index": IGNORE, "label_smoothing": smoothing}
    if not all_pixels:
        loss = F.cross_entropy(logits, labels, **arguments)
        return torch.where(torch.isnan(loss), logits.sum() * 0, loss)
    loss = F.cross_entropy(logits, labels, reduction="sum", **arguments) / labels.numel()
    if options == {"average": "all"}:
        by_mmseg = CrossEntropyLoss(avg_non_ignore=False)(logits, labels, ignore_index=IGNORE)
        assert torch.allclose(by_mmseg, loss, rtol=2e-7, atol=0), (by_mmseg, loss)  # it adds 1.2e-7 to the divisor
    return loss


if __name__ == "__main__":
    write(__file__, reference, VARIANTS, classes=CLASSES)
