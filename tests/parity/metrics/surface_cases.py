"""200 random sets of images for metrics of surfaces and boundaries, made by formula.py, so that only results are stored.

A script beside this one, NAME.py, gives a metric's formula for a pair of masks, in float64 with numpy and scipy, and
calls write(). Where MONAI has the metric, the script compares with it too (float32). surface_cases.h makes the same
cases in C++. Masks are boxes; the prediction's are moved, lost or of another class, so that empty masks are frequent.
"""
import json
import pathlib
import sys

import numpy as np
from scipy.ndimage import binary_erosion, distance_transform_edt

sys.path.insert(0, str(pathlib.Path(__file__).parent.parent))
from formula import uniform  # noqa: E402

CASES, IGNORE = 200, -1
SIZES = [[24, 31], [9, 14, 12], [1, 1], [40, 17], [6, 5, 8], [1, 20], [33, 33], [1, 12, 9], [60, 80], [3, 3]]
CLASSES = [3, 2, 4, 1, 5]
SPACINGS = [[1, 1, 1], [0.7, 2, 1.5], [0.5, 0.5, 3], [4, 1.25, 0.3]]  # x, y, z


def boxes(key, size, count):
    """Slices and three further numbers of each box."""
    for u in uniform(key, count * 9).reshape(count, 9):
        begin = [int(u[2 * axis] * side) for axis, side in enumerate(size)]
        end = [b + 1 + int(u[2 * axis + 1] * side / 2) for axis, (b, side) in enumerate(zip(begin, size))]
        yield begin, end, u[6:]


def paint(labels, begin, end, value, moved=0):
    labels[tuple(slice(max(0, b + moved), max(0, e + moved)) for b, e in zip(begin, end))] = value


def image(index, number, per_class, flat):
    """Truth and prediction. The labels of case `index` overlap if per_class."""
    classes = CLASSES[index % len(CLASSES)]
    sizes = [size for size in SIZES if len(size) == 2] if flat else SIZES
    size = sizes[(index + 3 * number) % len(sizes)]
    maps = classes if per_class else 1
    truth, prediction = np.zeros((maps, *size), np.int64), np.zeros((maps, *size), np.int64)
    for m in range(maps):
        count = (index + number + m) % 4 if per_class else 2 + (index + number) % 4
        for begin, end, u in boxes((index, number, 1 + m), size, count):
            value = 1 if per_class else int(u[0] * classes)
            paint(truth[m], begin, end, value)
            if u[1] < 0.75:
                paint(prediction[m], begin, end, value, int(u[2] * 5) - 2)
            elif u[1] < 0.9:
                paint(prediction[m], begin, end, 1 if per_class else int(u[2] * classes))
        if index % 25 == 13:
            truth[m] = IGNORE
        elif index % 3 == 0:
            for begin, end, _ in boxes((index, number, 50 + m), size, 2):
                paint(truth[m], begin, end, IGNORE)
    return (truth, prediction) if per_class else (truth[0], prediction[0])


def spacing_of(index):
    return SPACINGS[index % len(SPACINGS)]


def pairs(index, per_class, flat):
    """Per class, of the images where it has a pixel: truth and prediction as masks."""
    classes = CLASSES[index % len(CLASSES)]
    found = [[] for _ in range(classes)]
    for number in range(1 + index % 3):
        truth, prediction = image(index, number, per_class, flat)
        for c in range(classes):
            t = truth[c] == 1 if per_class else truth == c
            p = prediction[c] == 1 if per_class else prediction == c
            p = p & ((truth[c] if per_class else truth) != IGNORE)
            if t.any() or p.any():
                found[c].append((t, p))
    return found


def surface(mask):
    return mask & ~binary_erosion(mask)


def distances(truth, prediction, spacing=(1, 1, 1)):
    """Of the prediction's surface pixels to the truth's surface, and of the truth's; both have pixels."""
    t, p, sampling = surface(truth), surface(prediction), list(spacing[:truth.ndim])[::-1]
    return distance_transform_edt(~t, sampling)[p], distance_transform_edt(~p, sampling)[t]


def monai(function, truth, prediction, index, **options):
    """A function of MONAI on one pair."""
    import torch
    spacing = [float(s) for s in spacing_of(index)[:truth.ndim][::-1]]
    as_batch = lambda mask: torch.from_numpy(mask[None, None].astype(np.float32))
    return float(function(as_batch(prediction), as_batch(truth), include_background=True, spacing=spacing, **options))


def nanmean(values):
    values = np.asarray(values, np.float64)
    return float(np.mean(values[~np.isnan(values)])) if np.any(~np.isnan(values)) else float("nan")


def number(value):
    return None if np.isnan(value) else "inf" if np.isinf(value) else float(f"{value:.15g}")


def digest(rows):
    """Per column: how many cells are undefined and infinite, and the sum of the others, times their row (from 1)."""
    rows = np.asarray(rows, np.float64)
    finite = np.isfinite(rows)
    sums = (np.where(finite, rows, 0) * np.arange(1, len(rows) + 1)[:, None]).sum(0)
    return [[int(n), int(i), number(s)] for n, i, s in zip(np.isnan(rows).sum(0), np.isinf(rows).sum(0), sums)]


def write(script, reference, variants, flat=False):
    """reference(masks per class, index, options): values and rows per class."""
    results = []
    for index in range(CASES):
        per_class = index // len(variants) % 2 == 1
        values, rows = reference(pairs(index, per_class, flat), index, variants[index % len(variants)])
        results.append([[number(v) for v in values], digest(rows)])
    lines = ",\n".join(json.dumps(result) for result in results)
    pathlib.Path(script).with_suffix(".json").write_text(
        f'{{"variants": {json.dumps(variants)}, "flat": {json.dumps(flat)}, "results": [\n{lines}\n]}}\n')
