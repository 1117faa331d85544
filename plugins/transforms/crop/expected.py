"""What albumentations 2.0.8 makes of a pattern by its crops: expected.json for the test.

Run: python expected.py > expected.json
"""
import json

import albumentations
import numpy as np

HEIGHT, WIDTH = 7, 10
y, x = np.mgrid[:HEIGHT, :WIDTH]
image = np.abs((4 * (3 * x + 2 * y)) % 510 - 255).astype(np.uint8)
expected = []
for height, width in [(3, 4), (4, 5), (7, 10), (12, 5), (10, 15), (3, 13)]:
    crop = albumentations.CenterCrop(height, width, pad_if_needed=True, fill=9)
    expected.append({"options": {"size": [height, width]}, "values": crop(image=image)["image"].ravel().tolist()})
for x_min, y_min, x_max, y_max in [(0, 0, 10, 7), (2, 1, 5, 7), (9, 6, 10, 7)]:
    crop = albumentations.Crop(x_min, y_min, x_max, y_max)
    expected.append({"options": {"window": [x_min, y_min, x_max, y_max]},
                     "values": crop(image=image)["image"].ravel().tolist()})
print("[" + ",\n".join(json.dumps(case, separators=(",", ":")) for case in expected) + "]")
