"""200 random sets of images for metrics that count pixels, made by formula.py, so that only results are stored.

A script beside this one, NAME.py, gives a metric's reference and calls write(). counting_cases.h makes the same in C++.
"""
import json
import pathlib
import sys

import numpy as np

sys.path.insert(0, str(pathlib.Path(__file__).parent.parent))
from formula import uniform  # noqa: E402

CASES, IGNORE = 200, -1
SIZES = [[5, 7], [3, 3], [3, 4, 5], [1, 1], [12, 17], [6, 9], [2, 5, 3], [1, 6], [16, 8], [7, 3]]
CLASSES = [3, 2, 4, 5, 1, 3, 7]


def coarse(values, size):
    """Along each axis, every second pixel equals its neighbour, so that there are regions."""
    values = values.reshape(size)
    for axis, side in enumerate(size):
        values = np.take(values, np.arange(side) // 2 * 2, axis)
    return values


def ignored_share(index):
    return 1.1 if index % 25 == 13 else 0.0 if index % 4 == 0 else 0.2


def image(index, number, per_class):
    """Truth, prediction and scores. The labels of case `index` overlap if per_class."""
    classes = CLASSES[index % len(CLASSES)]
    size = SIZES[(index + 3 * number) % len(SIZES)]
    present = [c for c in range(classes) if index % 3 != 1 or (c + index) % 3 != 0] or [0]
    if per_class:
        truth, prediction = [], []
        for c in range(classes):
            u = uniform((index, number, 10 + c), 4 * int(np.prod(size))).reshape(-1, 4)
            wanted = coarse(u[:, 1], size) < (0.4 if c in present else 0)
            found = np.where(u[:, 2].reshape(size) < 0.2, u[:, 3].reshape(size) < 0.5, wanted)
            truth.append(np.where(u[:, 0].reshape(size) < ignored_share(index), IGNORE, wanted.astype(np.int64)))
            prediction.append(found.astype(np.int64))
        truth, prediction = np.stack(truth), np.stack(prediction)
    else:
        u = uniform((index, number, 1), 4 * int(np.prod(size))).reshape(-1, 4)
        wanted = np.array(present)[(coarse(u[:, 1], size) * len(present)).astype(np.int64)]
        found = (u[:, 3].reshape(size) * classes).astype(np.int64)
        prediction = np.where(u[:, 2].reshape(size) < 0.3, found, wanted)
        truth = np.where(u[:, 0].reshape(size) < ignored_share(index), IGNORE, wanted)
    raw = uniform((index, number, 2), classes * int(np.prod(size))).reshape(classes, *size)
    if not per_class:
        raw = raw * raw * raw + 0.001
        total = np.zeros(size)
        for c in range(classes):
            total = total + raw[c]
        raw = raw / total
    return truth, prediction, raw.astype(np.float32)


def images(index, per_class):
    return [image(index, number, per_class) for number in range(1 + index % 3)]


def confusion(index, per_class):
    """int64 [classes, 4] of TP, FP, FN, TN, and the matrix, if classes do not overlap."""
    classes = CLASSES[index % len(CLASSES)]
    matrix, counts = np.zeros((classes, classes), np.int64), np.zeros((classes, 4), np.int64)
    for truth, prediction, _ in images(index, per_class):
        if per_class:
            for c in range(classes):
                t, p = truth[c][truth[c] != IGNORE], prediction[c][truth[c] != IGNORE]
                counts[c] += [np.sum(t & p), np.sum((1 - t) & p), np.sum(t & (1 - p)), np.sum((1 - t) & (1 - p))]
        else:
            t, p = truth[truth != IGNORE], prediction[truth != IGNORE]
            np.add.at(matrix, (t, p), 1)
    if not per_class:
        right = np.diag(matrix)
        counts = np.stack([right, matrix.sum(0) - right, matrix.sum(1) - right,
                           matrix.sum() - matrix.sum(0) - matrix.sum(1) + right], 1)
    return counts, matrix


def divide(a, b):
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.asarray(a, np.float64) / np.asarray(b, np.float64)


def nanmean(values):
    values = np.asarray(values, np.float64)
    return float(np.mean(values[~np.isnan(values)])) if np.any(~np.isnan(values)) else float("nan")


def digest(cells):
    """Per column: how many cells are undefined, and the sum of the others, times their row (from 1)."""
    cells = np.asarray(cells, np.float64)
    undefined = np.isnan(cells)
    rows = np.arange(1, len(cells) + 1)[:, None]
    return [[int(n), float(f"{s:.15g}")] for n, s in zip(undefined.sum(0), (np.where(undefined, 0, cells) * rows).sum(0))]


def write(script, reference, variants, per_class=(False, True)):
    """reference(index, per_class, options): values, rows per class, and further tables."""
    results = []
    for index in range(CASES):
        kind = per_class[index // len(variants) % len(per_class)]
        values, rows, tables = reference(index, kind, variants[index % len(variants)])
        results.append([[None if np.isnan(v) else float(f"{v:.15g}") for v in values], digest(rows),
                        [digest(table) for table in tables]])
    head = f'"variants": {json.dumps(variants)}, "per_class": {json.dumps(list(per_class))}'
    lines = ",\n".join(json.dumps(result) for result in results)
    pathlib.Path(script).with_suffix(".json").write_text(f'{{{head}, "results": [\n{lines}\n]}}\n')
