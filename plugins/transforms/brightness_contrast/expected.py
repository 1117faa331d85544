"""What albumentations 2.0.8 makes of all 256 values, by given contrast and brightness: expected.json for the test.

Run: python expected.py > expected.json
"""
import json

import albumentations
import numpy as np

CASES = [(0.17, -0.08, True), (-0.17, 0.12, True), (0.0, 0.1, True), (0.2, 0.2, True), (0.3, -0.2, False)]
image = np.arange(256, dtype=np.uint8).reshape(16, 16, 1)
expected = []
for contrast, brightness, by_max in CASES:
    change = albumentations.RandomBrightnessContrast(brightness_limit=(brightness, brightness), p=1,
                                                     contrast_limit=(contrast, contrast), brightness_by_max=by_max)
    expected.append({"contrast": contrast, "brightness": brightness, "by_max": by_max,
                     "values": change(image=image)["image"].ravel().tolist()})
print("[" + ",\n".join(json.dumps(case, separators=(",", ":")) for case in expected) + "]")
