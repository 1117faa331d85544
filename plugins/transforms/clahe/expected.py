"""What albumentations 2.0.8 makes of images by its CLAHE with given limits and tiles: expected.json for the test.

Run: python expected.py > expected.json
"""
import json

import albumentations
import numpy as np


def image(height, width, channels):
    """Scattered values around a slope: the test makes the same."""
    i = np.arange(height * width * channels, dtype=np.int64)
    scattered = (i * i * 40503 + i * 9973) % 65521 % 64
    return (40 + i * 100 // len(i) + scattered).astype(np.uint8).reshape(height, width, channels)


expected = []
for height, width, channels, limit, tiles in [(24, 32, 1, 2.5, (4, 3)), (23, 30, 1, 4.0, (4, 3)),
                                              (24, 30, 1, 1.0, (4, 3)), (5, 6, 1, 3.0, (8, 8)), (20, 25, 3, 3.0, (3, 2))]:
    change = albumentations.CLAHE(clip_limit=(limit, limit), tile_grid_size=tiles, p=1)
    after = change(image=image(height, width, channels))["image"]
    expected.append({"size": [height, width, channels], "clip_limit": limit, "tile_grid_size": tiles,
                     "values": after.ravel().tolist()})
print("[" + ",\n".join(json.dumps(case, separators=(",", ":")) for case in expected) + "]")
