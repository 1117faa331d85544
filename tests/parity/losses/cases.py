"""200 random cases of a loss: logits, labels and options made by formula.py, so that only results are stored.

A script beside this one, NAME.py, gives a loss's reference and calls write(): its results are in NAME.json. random_cases.h
makes the same cases in C++.
"""

import json
import sys
from pathlib import Path

import numpy as np
import torch

sys.path.insert(0, str(Path(__file__).parent.parent))
from formula import uniform  # noqa: E402

CASES, IGNORE = 200, -1
# Sizes [N, H, W] and [N, D, H, W], in turn; one pixel, one row and volumes among them.
SIZES = [[2, 5, 7], [1, 3, 3], [2, 3, 4, 5], [1, 1, 1], [3, 4, 4], [1, 6, 9], [1, 2, 5, 3], [2, 1, 6], [1, 8, 8], [2, 7, 3]]
CLASSES = [3, 2, 4, 5, 1, 3, 7]


def shape(index, classes=CLASSES):
    """[N, C, …]"""
    size = SIZES[index % len(SIZES)]
    return [size[0], classes[index % len(classes)], *size[1:]]


def ignored_share(index):
    return 1.1 if index % 25 == 13 else 0.0 if index % 4 == 0 else 0.25


def first_image_is_empty(index):
    """Every pixel of it is ignored."""
    return index % 9 == 5


def present(index, count):
    """Class numbers that occur in the labels."""
    return [c for c in range(count) if index % 3 != 1 or (c + index) % 3 != 0] or [0]


def number_labels(index, size):
    """int64 [N, …]"""
    n, count = int(np.prod([size[0], *size[2:]])), size[1]
    u = uniform((index, 1), 2 * n).reshape(n, 2)
    classes = np.array(present(index, count))
    labels = classes[(u[:, 1] * len(classes)).astype(np.int64)]
    labels[u[:, 0] < ignored_share(index)] = IGNORE
    labels = labels.reshape(size[0], *size[2:])
    if first_image_is_empty(index):
        labels[0] = IGNORE
    return torch.from_numpy(labels)


def per_class_labels(index, size):
    """float64 [N, C, …] of 0, 1 and IGNORE: overlapping classes."""
    u = uniform((index, 2), 2 * int(np.prod(size))).reshape(-1, 2)
    labels = (u[:, 1] < 0.4).astype(np.float64)
    labels[u[:, 0] < ignored_share(index)] = IGNORE
    labels = labels.reshape(size)
    for c in set(range(size[1])) - set(present(index, size[1])):
        labels[:, c] = np.minimum(labels[:, c], 0)
    if first_image_is_empty(index):
        labels[0] = IGNORE
    return torch.from_numpy(labels)


def logits_of(index, size):
    values = (-4 + 8 * uniform((index, 0), int(np.prod(size)))).astype(np.float32).astype(np.float64)
    return torch.from_numpy(values).reshape(size).requires_grad_()


def direction(index, size):
    """The gradient is stored as its product with this."""
    return torch.from_numpy(-1 + 2 * uniform((index, 3), int(np.prod(size)))).reshape(size)


def one_hot(labels, classes):
    """float64 [N, C, …]; an ignored pixel has no class."""
    target = torch.nn.functional.one_hot(labels.clamp_min(0), classes).movedim(-1, 1).double()
    return target * (labels >= 0).unsqueeze(1)


def target_of(labels, logits):
    """Targets and what counts, float64 [N, C, …], of labels of any kind."""
    if labels.is_floating_point():
        return labels.clamp_min(0), (labels >= 0).double()
    return one_hot(labels, logits.shape[1]), (labels >= 0).unsqueeze(1).expand_as(logits).double()


def probabilities(logits, labels, options):
    activation = options.get("activation", "auto")
    sigmoid = labels.is_floating_point() if activation == "auto" else activation == "sigmoid"
    return logits.sigmoid() if sigmoid else logits.softmax(1)


def write(script, reference, variants, kinds=("numbers", "per_class"), classes=CLASSES):
    """reference(logits, labels, options): the loss, a scalar. variants: options, in turn over the cases.

    A result is [value, gradient * direction, norm of the gradient], in float64.
    """
    results = []
    for index in range(CASES):
        size = shape(index, classes)
        kind = kinds[index // len(variants) % len(kinds)]
        labels = number_labels(index, size) if kind == "numbers" else per_class_labels(index, size)
        logits = logits_of(index, size)
        loss = reference(logits, labels, variants[index % len(variants)])
        gradient = torch.zeros_like(logits)
        if loss.requires_grad:
            loss.backward()
            gradient = logits.grad
        results.append([loss.item(), (gradient * direction(index, size)).sum().item(), gradient.norm().item()])
        assert all(np.isfinite(results[-1])), (index, variants[index % len(variants)], results[-1])
    lines = ",\n".join("  " + json.dumps([float(f"{x:.10g}") for x in result]) for result in results)
    head = f'"variants": {json.dumps(variants)}, "kinds": {json.dumps(list(kinds))}, "classes": {json.dumps(classes)}'
    Path(script).with_suffix(".json").write_text(f'{{{head}, "results": [\n{lines}\n]}}\n')
