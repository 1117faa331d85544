"""What albumentations 2.0.8 makes of all 256 values, by given gamma: expected.json for the test.

Run: python expected.py > expected.json
"""
import json

import albumentations
import numpy as np

image = np.arange(256, dtype=np.uint8).reshape(16, 16, 1)
expected = []
for percent in (40.0, 80.0, 120.0, 250.0):
    change = albumentations.RandomGamma(gamma_limit=(percent, percent), p=1)
    expected.append({"gamma_limit": percent, "values": change(image=image)["image"].ravel().tolist()})
print("[" + ",\n".join(json.dumps(case, separators=(",", ":")) for case in expected) + "]")
