"""What albumentations 2.0.8 makes of four times the same image, seen from given places: expected.json for the test.

Run: python expected.py > expected.json

All four are alike, because albumentations places the other three at random. Images have the size of a cell, or, for
what is resized, half or one and a half times of it.
"""
import json

import albumentations
import numpy as np

CELL, TARGET = (8, 12), (10, 14)
CASES = [(0.0, 1), (0.3, 1), (0.5, 1), (0.77, 1), (1.0, 1), (0.3, 2), (0.6, 2), (0.4, 1.5)]  # place, size in cells
expected = []
for place, size in CASES:
    height, width = (int(side * size) for side in CELL)
    rows, columns = np.mgrid[0:height, 0:width]
    image = np.stack([rows * 9 % 256, columns * 13 % 256, (rows * columns * 5) % 256], axis=2).astype(np.uint8)
    mask = (rows * 3 // height + columns * 5 // width).astype(np.uint8)
    change = albumentations.Mosaic(grid_yx=(2, 2), target_size=TARGET, cell_shape=CELL, center_range=(place, place),
                                   fit_mode="cover", p=1)
    result = change(image=image, mask=mask, mosaic_metadata=[{"image": image, "mask": mask}] * 3)
    expected.append({"place": place, "size": [height, width], "image": result["image"].ravel().tolist(),
                     "mask": result["mask"].ravel().tolist() if size == 1 else None})
print("[" + ",\n".join(json.dumps(case, separators=(",", ":")) for case in expected) + "]")
