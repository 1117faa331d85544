"""What albumentations 2.0.8 makes of images by each method: expected.json for the test.

Run: python expected.py > expected.json
"""
import json

import albumentations
import cv2
import numpy as np


def image(channels):
    i = np.arange(6 * 7 * channels, dtype=np.int64)
    return ((i * i * 40503 + i * 9973) % 65521 % 256).astype(np.uint8).reshape(6, 7, channels)


def gray(method, channels):
    before = image(channels)
    after = albumentations.ToGray(num_output_channels=1, method=method, p=1)(image=before)["image"].ravel()
    if method == "pca":  # the sign of a principal component is arbitrary: the sum of its weights is made positive
        _, vectors, _ = cv2.PCACompute2(before.reshape(-1, channels).astype(np.float64), mean=None, maxComponents=1)
        after = after if vectors.sum() > 0 else 255 - after
    return {"method": method, "channels": channels, "values": after.tolist()}


METHODS = ("weighted_average", "from_lab", "desaturation", "average", "max", "pca")
expected = [gray(method, 3) for method in METHODS] + [gray(method, 7) for method in METHODS[2:]]
print("[" + ",\n".join(json.dumps(case, separators=(",", ":")) for case in expected) + "]")
