"""What Downscale of albumentations 2.0.8 makes of a small pattern: expected.json for the test.

Run: python expected.py > expected.json
"""
import json

import albumentations
import cv2
import numpy as np

FLAGS = {"nearest": cv2.INTER_NEAREST, "linear": cv2.INTER_LINEAR, "cubic": cv2.INTER_CUBIC, "area": cv2.INTER_AREA}
CASES = [(0.25, "nearest", "nearest"), (0.4, "nearest", "nearest"), (0.37, "nearest", "linear"),
         (0.5, "area", "cubic"), (0.8, "linear", "linear")]
y, x, c = np.mgrid[:9, :11, :3]
image = ((7 * x + 13 * y * y + 50 * c + x * y) % 256).astype(np.uint8)
expected = []
for scale, down, up in CASES:
    change = albumentations.Downscale(scale_range=(scale, scale), p=1,
                                      interpolation_pair={"downscale": FLAGS[down], "upscale": FLAGS[up]})
    expected.append({"scale": scale, "downscale": down, "upscale": up,
                     "values": change(image=image)["image"].ravel().tolist()})
print("[" + ",\n".join(json.dumps(case, separators=(",", ":")) for case in expected) + "]")
