"""Distance maps of random labels by scipy.ndimage.distance_transform_edt, and of components by skimage.measure.label:
expected.json for the test.

Run: python expected.py > expected.json
"""
import json

import numpy as np
from scipy.ndimage import distance_transform_edt
from skimage.measure import label

IGNORE, CLASSES = -1, 3
CASES = [((9, 11), {}), ((9, 11), {"distance": "unsigned"}), ((12, 10), {"distance": "signed"}),
         ((12, 10), {"distance": "signed", "limit": 2}), ((11, 14), {"distance": "unsigned", "normalize": True}),
         ((11, 14), {"distance": "signed", "limit": 3, "normalize": True}), ((13, 12), {"of": "components"}),
         ((13, 12), {"of": "components", "distance": "signed"}),
         ((13, 12), {"of": "components", "distance": "signed", "normalize": True}), ((1, 7), {"distance": "signed"})]


def scaled(distances, where, options):
    limit = options.get("limit")
    distances = np.where(where, distances if limit is None else np.minimum(distances, limit), 0)
    if options.get("normalize"):
        distances = distances / (limit or max(distances.max(), 1e-300))
    return distances


def distance_to(mask, options):  # of each pixel to the nearest one of the mask
    if mask.any():
        return distance_transform_edt(~mask)
    return np.full(mask.shape, float(options.get("limit", 0)))


def joined(inside, to_outside, outside, to_inside, options):
    kind = options.get("distance", "inside")
    map_ = scaled(to_outside, inside, options) * (-1 if kind == "signed" else 1)
    return map_ if kind == "inside" else map_ + scaled(to_inside, outside, options)


def distance_map(labels, options):
    if options.get("of") != "components":
        planes = []
        for number in range(CLASSES):
            inside, outside = labels == number, (labels != number) & (labels != IGNORE)
            planes.append(joined(inside, distance_to(outside, options), outside, distance_to(inside, options), options))
        return np.stack(planes, -1)
    numbers = np.zeros(labels.shape, int)
    for number in range(1, CLASSES):  # the first class is the background
        parts = label(labels == number, connectivity=2)
        numbers += np.where(parts > 0, parts + numbers.max(), 0)
    map_ = np.zeros(labels.shape)
    for k in range(1, numbers.max() + 1):
        only_inside = {**options, "distance": options.get("distance", "inside")}
        nothing = np.zeros(labels.shape, bool)
        map_ += joined(numbers == k, distance_to(numbers != k, options), nothing, map_, only_inside)
    if options.get("distance", "inside") != "inside":
        map_ += scaled(distance_to(numbers > 0, options), (numbers == 0) & (labels != IGNORE), options)
    return map_[..., None]


random = np.random.default_rng(2)
expected = []
for (height, width), options in CASES:
    labels = np.zeros((height, width), int)
    while len(np.unique(labels)) < 3:
        labels = np.zeros((height, width), int)
        for _ in range(4):
            y, x = random.integers(0, height), random.integers(0, width)
            labels[y:y + random.integers(1, 6), x:x + random.integers(1, 6)] = random.integers(0, CLASSES)
        labels[random.random((height, width)) < 0.05] = IGNORE
    expected.append({"size": [height, width], "options": options, "labels": labels.ravel().tolist(),
                     "distances": [round(float(d), 6) for d in distance_map(labels, options).ravel()]})
print("[" + ",\n".join(json.dumps(case, separators=(",", ":")) for case in expected) + "]")
