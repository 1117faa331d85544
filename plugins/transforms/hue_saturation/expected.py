"""What albumentations 2.0.8 makes of an image by given shifts of hue, saturation and value: expected.json for the test.

Run: python expected.py > expected.json
"""
import json

import albumentations
import numpy as np

i = np.arange(9 * 11 * 3, dtype=np.int64)
image = ((i * i * 40503 + i * 9973) % 65521 % 256).astype(np.uint8).reshape(9, 11, 3)
image[0] = image[0, :, :1]  # grey pixels
expected = []
for hue, saturation, value in [(20, 0, 0), (-13.4, 0, 0), (0, 30.7, 0), (0, -25.5, 0), (0, 0, 40), (0, 0, -33.9),
                               (170, 60, -20)]:
    change = albumentations.HueSaturationValue(hue_shift_limit=(hue, hue), sat_shift_limit=(saturation, saturation),
                                               val_shift_limit=(value, value), p=1)
    expected.append({"shift": [hue, saturation, value], "values": change(image=image)["image"].ravel().tolist()})
print("[" + ",\n".join(json.dumps(case, separators=(",", ":")) for case in expected) + "]")
