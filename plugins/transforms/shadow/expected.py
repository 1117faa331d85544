"""What albumentations 2.0.8 makes of all 256 values in a shadow, and how much of an image it darkens, by given options: the
mean share of dark pixels over many images and its standard deviation. expected.json for the test.

Run: python expected.py > expected.json
"""
import json

import albumentations
import numpy as np
from albumentations.augmentations.pixel.functional import add_shadow

TIMES = 2000
expected = {"values": [], "shares": []}
image = np.arange(256, dtype=np.uint8).reshape(16, 16, 1)
everywhere = np.array([[0, 0], [15, 0], [15, 15], [0, 15]], np.int32)
for intensity in (0.5, 0.3, 0.07, 1.0):
    after = add_shadow(image, [everywhere], np.array([intensity]))
    expected["values"].append({"intensity": intensity, "values": after.ravel().tolist()})
image = np.full((40, 60, 3), 200, np.uint8)
for options in ({}, {"num_shadows_limit": (1, 1), "shadow_dimension": 3, "shadow_roi": (0.2, 0, 1, 0.9)},
                {"num_shadows_limit": (2, 4), "shadow_dimension": 8, "shadow_roi": (0, 0, 1, 1)}):
    change = albumentations.RandomShadow(p=1, **options)
    change.set_random_seed(3)
    shares = [float((change(image=image)["image"] != 200).mean()) for _ in range(TIMES)]
    expected["shares"].append({"options": options, "mean": round(float(np.mean(shares)), 5),
                               "deviation": round(float(np.std(shares)), 5)})
print("{" + ",\n".join('"%s":[%s]' % (name, ",\n".join(json.dumps(case, separators=(",", ":")) for case in cases))
                       for name, cases in expected.items()) + "}")
