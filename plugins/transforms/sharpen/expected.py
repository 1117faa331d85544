"""What albumentations 2.0.8 makes of a small image, by given parameters: expected.json for the test. Its method gaussian
is compared on float images only, as it wraps around for those of 8 bits.

Run: python expected.py > expected.json
"""
import json

import albumentations
import numpy as np

CASES = [("kernel", 0.3, {"lightness": 0.7}, "8U"), ("kernel", 0.05, {"lightness": 1.2}, "8U"),
         ("kernel", 0.2, {"lightness": 1.0}, "32F"), ("gaussian", 0.4, {}, "32F"),
         ("gaussian", 0.8, {"kernel_size": 7, "sigma": 2.5}, "32F")]
y, x, c = np.mgrid[0:10, 0:13, 0:3]
image = (64 + (x * 29 + y * 57 + c * 83 + (x * y * 13) % 101) % 128).astype(np.uint8)
expected = []
for method, alpha, others, depth in CASES:
    options = {name: (value, value) if name == "lightness" else value for name, value in others.items()}
    change = albumentations.Sharpen(alpha=(alpha, alpha), method=method, p=1, **options)
    before = image if depth == "8U" else image.astype(np.float32) / 255
    after = change(image=before)["image"]
    values = after.ravel().tolist() if depth == "8U" else [round(float(v), 5) for v in after.ravel()]
    expected.append({"options": {"method": method, "alpha": [alpha, alpha], **options}, "depth": depth, "values": values})
print("[" + ",\n".join(json.dumps(case, separators=(",", ":")) for case in expected) + "]")
