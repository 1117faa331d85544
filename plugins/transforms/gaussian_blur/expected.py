"""What albumentations 2.0.8 makes of a small image, by given sigma and kernel size: expected.json for the test.

Run: python expected.py > expected.json
"""
import json

import albumentations
import numpy as np

CASES = [(0.8, 0, "8U"), (2.5, 0, "8U"), (1.5, 9, "8U"), (1.2, 0, "32F")]
y, x, c = np.mgrid[0:10, 0:13, 0:3]
image = ((x * 29 + y * 57 + c * 83 + (x * y * 13) % 101) % 256).astype(np.uint8)
expected = []
for sigma, size, depth in CASES:
    blur = albumentations.GaussianBlur(blur_limit=(size, size), sigma_limit=(sigma, sigma), p=1)
    before = image if depth == "8U" else image.astype(np.float32) / 255
    after = blur(image=before)["image"]
    values = after.ravel().tolist() if depth == "8U" else [round(float(v), 5) for v in after.ravel()]
    expected.append({"sigma": sigma, "size": size, "depth": depth, "values": values})
print("[" + ",\n".join(json.dumps(case, separators=(",", ":")) for case in expected) + "]")
