"""How far albumentations 2.0.8 moves the corners of an image, as fractions of its sides: expected.json for the test.

Run: python expected.py > expected.json
"""
import json

import numpy as np
from albumentations.augmentations.geometric import functional

generator = np.random.default_rng(1)
expected = []
for scale in [0.05, 0.1, 0.3]:
    corners = np.array([functional.generate_perspective_points((100, 200), scale, generator) for _ in range(5000)])
    jitter = np.abs(corners / [200, 100] - [[0, 0], [1, 0], [1, 1], [0, 1]])
    expected.append({"scale": scale, "mean": round(float(jitter.mean()), 5), "deviation": round(float(jitter.std()), 5),
                     "largest": round(float(jitter.max()), 5)})
print(json.dumps(expected, separators=(",", ":")))
