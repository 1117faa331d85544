"""Images equalized by albumentations 2.0.8 (mode cv) and Pillow (mode pil): expected.json for the test.

Run: python expected.py > expected.json
"""
import json

import albumentations
import cv2
import numpy as np
from PIL import Image, ImageOps


def image():
    """Dark, so that there is something to equalize: the test makes the same."""
    i = np.arange(20 * 32 * 3, dtype=np.int64)
    values = (i * i * 40503 + i * 9973) % 65521 % 256
    return (values * values // 400).astype(np.uint8).reshape(20, 32, 3)


def pillow(before, by_channels):
    if by_channels:
        return np.asarray(ImageOps.equalize(Image.fromarray(before)))
    colors = cv2.cvtColor(before, cv2.COLOR_RGB2YCrCb)
    colors[..., 0] = np.asarray(ImageOps.equalize(Image.fromarray(np.ascontiguousarray(colors[..., 0]))))
    return cv2.cvtColor(colors, cv2.COLOR_YCrCb2RGB)


expected = []
for mode in ("cv", "pil"):
    for by_channels in (True, False):
        after = (pillow(image(), by_channels) if mode == "pil" else
                 albumentations.Equalize(mode="cv", by_channels=by_channels, p=1)(image=image())["image"])
        expected.append({"mode": mode, "by_channels": by_channels, "values": after.ravel().tolist()})
print("[" + ",\n".join(json.dumps(case, separators=(",", ":")) for case in expected) + "]")
