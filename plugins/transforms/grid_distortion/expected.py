"""What OpenCV and albumentations 2.0.8 make of a pattern by a given distortion, and how far random ones of albumentations
move columns: expected.json for the test.

Run: python expected.py > expected.json
"""
import json

import albumentations
import cv2
import numpy as np

HEIGHT, WIDTH = 18, 24
y, x = np.mgrid[:HEIGHT, :WIDTH]
image = np.abs((4 * (3 * x + 2 * y)) % 510 - 255).astype(np.uint8)
labels = ((x // 5 + y // 4) % 3).astype(np.uint8)
distort = albumentations.GridDistortion(num_steps=1, distort_limit=(-0.2, -0.2), normalized=False, p=1)
after = distort(image=image)
albumentations_pattern = after["image"].ravel().tolist()

# All cells show four fifths of their length of the image: positions of the centers of pixels, counted from the first one.
columns, rows = np.meshgrid((np.arange(WIDTH) + 0.5) * 0.8 - 0.5, (np.arange(HEIGHT) + 0.5) * 0.8 - 0.5)
columns, rows = columns.astype(np.float32), rows.astype(np.float32)
after = cv2.remap(image, columns, rows, cv2.INTER_LINEAR)
inside = cv2.remap(np.full_like(image, 255), columns, rows, cv2.INTER_LINEAR) == 255
mask = cv2.remap(labels, columns, rows, cv2.INTER_NEAREST)
pattern = {"size": [HEIGHT, WIDTH], "values": np.where(inside, after.astype(int), -1).ravel().tolist(),
           "labels": mask.ravel().tolist(), "albumentations": albumentations_pattern}

# The standard deviation of where columns of an image of width 200 come from. Its lines of five cells are at 40, 80, ...
spread = []
for normalized in [True, False]:
    distort = albumentations.GridDistortion(num_steps=5, distort_limit=(-0.3, 0.3), normalized=normalized, p=1)
    distort.set_random_seed(1)
    columns = np.array([distort.get_params_dependent_on_data({"shape": (100, 200)}, {})["map_x"][0]
                        for _ in range(4000)])
    spread.append({"normalized": normalized, "columns": [20, 60, 100, 140],
                   "deviations": columns[:, [20, 60, 100, 140]].std(axis=0).round(4).tolist()})
print(json.dumps({"pattern": pattern, "spread": spread}, separators=(",", ":")))
