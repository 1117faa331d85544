"""How much of an image albumentations 2.0.8 drops, by given options: the mean share of dropped pixels over many images and
its standard deviation. expected.json for the test.

Run: python expected.py > expected.json
"""
import json

import albumentations
import numpy as np

TIMES = 4000
CASES = [{}, {"num_holes_range": (1, 1), "hole_height_range": (5, 9), "hole_width_range": (1, 30)},
         {"num_holes_range": (2, 5), "hole_height_range": (0.3, 0.5), "hole_width_range": (0.05, 0.95)},
         {"num_holes_range": (1, 1), "hole_height_range": (35, 60), "hole_width_range": (10, 10)}]
image = np.full((40, 60), 255, np.uint8)
expected = []
for options in CASES:
    change = albumentations.CoarseDropout(p=1, **options)
    change.set_random_seed(11)
    shares = [float((change(image=image)["image"] == 0).mean()) for _ in range(TIMES)]
    expected.append({"options": options, "mean": round(float(np.mean(shares)), 5), "deviation": round(float(np.std(shares)), 5)})
print("[" + ",\n".join(json.dumps(case, separators=(",", ":")) for case in expected) + "]")
