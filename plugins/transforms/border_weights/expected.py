"""U-Net's weight maps, as public implementations compute them with scipy.ndimage.distance_transform_edt from the distances
to all objects, sorted: expected.json for the test.

Run: python expected.py > expected.json
"""
import json

import numpy as np
from scipy.ndimage import distance_transform_edt
from skimage.measure import label

IGNORE = -1
CASES = [((17, 19), 10, 5, None), ((24, 20), 10, 1.5, None), ((20, 26), 3, 2, [0.5, 2.0]), ((1, 12), 10, 5, None)]


def weight_map(labels, w0, sigma, class_weights):
    numbers = label(labels == 1, connectivity=2)
    weights = np.where(labels == IGNORE, 0, np.asarray(class_weights or [1, 1])[np.maximum(labels, 0)])
    if numbers.max() < 2:
        return weights
    distances = np.sort([distance_transform_edt(numbers != k) for k in range(1, numbers.max() + 1)], axis=0)
    border = w0 * np.exp(-(distances[0] + distances[1]) ** 2 / (2 * sigma ** 2))
    return weights + border * ((numbers == 0) & (labels != IGNORE))


random = np.random.default_rng(3)
expected = []
for (height, width), w0, sigma, class_weights in CASES:
    parts = 0
    while parts < 2:
        labels = np.zeros((height, width), int)
        for _ in range(5):
            y, x = random.integers(0, height), random.integers(0, width)
            labels[y:y + random.integers(1, 5), x:x + random.integers(1, 5)] = 1
        labels[random.random((height, width)) < 0.03] = IGNORE
        parts = label(labels == 1, connectivity=2).max()
    expected.append({"size": [height, width], "w0": w0, "sigma": sigma, "class_weights": class_weights or [],
                     "labels": labels.ravel().tolist(),
                     "weights": [round(float(w), 5) for w in weight_map(labels, w0, sigma, class_weights).ravel()]})
print("[" + ",\n".join(json.dumps(case, separators=(",", ":")) for case in expected) + "]")
