"""Expected values of binary cross entropy by torch.nn.functional, as a mean over what counts.

    python tests/parity/losses/bce.py
"""

import torch
import torch.nn.functional as F

from cases import target_of, write

CLASSES = [3, 2, 4, 5, 1, 3, 7]
VARIANTS = [
    {},
    {"class_weights": [1.5, 0.25]},
    {"label_smoothing": 0.1},
    {"pos_weight": [2.5]},
    {"pos_weight": [3]},
    {"pos_weight": [0.5, 2, 4], "label_smoothing": 0.2, "class_weights": [1, 0, 3]},
    {"class_weights": [1, 2, 0.5, 3, 1, 0.1, 4]},
]


def reference(logits, labels, options):
    target, counted = target_of(labels, logits)
    classes, axes = logits.shape[1], [1] * (logits.dim() - 2)
    per_class = lambda values: torch.tensor(values, dtype=torch.float64).expand(classes).view(-1, *axes)
    smoothing = options.get("label_smoothing", 0)
    weight = counted * per_class(options.get("class_weights", [1.0]))
    pos_weight = per_class(options["pos_weight"]) if "pos_weight" in options else None
    total = weight.sum()
    if total == 0:
        return logits.sum() * 0
    return (
        F.binary_cross_entropy_with_logits(
            logits, target * (1 - smoothing) + 0.5 * smoothing, weight, pos_weight=pos_weight, reduction="sum"
        )
        / total
    )


if __name__ == "__main__":
    write(__file__, reference, VARIANTS, classes=CLASSES)
