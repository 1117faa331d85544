"""What albumentations 2.0.8 makes of a small image, by given kernels: expected.json for the test.

Run: python expected.py > expected.json
"""
import json

import albumentations
import numpy as np

CASES = [(3, 0, 0, "8U"), (7, 30, 0, "8U"), (7, 117, 0.6, "8U"), (5, 250, -1, "8U"), (13, 75, -0.3, "8U"), (9, 200, 1, "32F")]
y, x, c = np.mgrid[0:12, 0:15, 0:3]
image = ((x * 31 + y * 47 + c * 71 + (x * y * 11) % 97) % 256).astype(np.uint8)
expected = []
for size, angle, direction, depth in CASES:
    blur = albumentations.MotionBlur(blur_limit=(size, size), angle_range=(angle, angle),
                                     direction_range=(direction, direction), allow_shifted=False, p=1)
    before = image if depth == "8U" else image.astype(np.float32) / 255
    after = blur(image=before)["image"]
    values = after.ravel().tolist() if depth == "8U" else [round(float(v), 5) for v in after.ravel()]
    expected.append({"size": size, "angle": angle, "direction": direction, "depth": depth, "values": values})
print("[" + ",\n".join(json.dumps(case, separators=(",", ":")) for case in expected) + "]")
