"""Expected values of the cross entropy of the largest k percent: nnU-Net 2's TopKLoss, written from its formula.

    python tests/parity/losses/topk_cross_entropy.py

TopKLoss: losses = cross_entropy(reduction none), flat; mean of the int(len(losses) * k / 100) largest. Here ignored
pixels are no part of `losses`, and one pixel at least is averaged.
"""

import torch
import torch.nn.functional as F

from cases import IGNORE, write

CLASSES = [3, 2, 4, 5, 1, 3, 7]
VARIANTS = [
    {},
    {"k": 50, "class_weights": [1.5, 0.25]},
    {"k": 100},
    {"k": 12.5, "label_smoothing": 0.1},
    {"k": 1},
    {"k": 33, "class_weights": [1, 0, 3], "label_smoothing": 0.2},
    {"k": 70},
]


def reference(logits, labels, options):
    weights = torch.tensor(options.get("class_weights", [1.0] * logits.shape[1]), dtype=torch.float64)
    smoothing = options.get("label_smoothing", 0)
    losses = F.cross_entropy(
        logits, labels, weights, ignore_index=IGNORE, reduction="none", label_smoothing=smoothing
    )[labels >= 0]
    if len(losses) == 0:
        return logits.sum() * 0
    count = max(1, int(len(losses) * options.get("k", 10) / 100))
    return losses.sort(descending=True).values[:count].mean()


if __name__ == "__main__":
    write(__file__, reference, VARIANTS, kinds=["numbers"], classes=CLASSES)
