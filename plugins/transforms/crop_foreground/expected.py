"""What MONAI's CropForeground makes of a small volume: expected.json for the test.

Run: python expected.py > expected.json
"""
import json

import monai
import numpy as np

SIZE = (4, 7, 9)
volume = np.zeros((1, *SIZE), np.float32)
volume[0, 1, 2, 3] = 5
volume[0, 2, 3:5, 4:7] = 9
volume[0, 2, 6, 0] = 2
expected = []
for threshold, margin, allow_smaller, k_divisible in [(0, 0, False, 1), (2, 0, False, 1), (2, 1, False, 1), (2, 3, True, 1),
                                                      (2, [0, 1, 2], False, 1), (2, 0, False, 4), (5, 1, True, 3)]:
    crop = monai.transforms.CropForeground(lambda x, t=threshold: x > t, margin=margin, allow_smaller=allow_smaller,
                                           k_divisible=k_divisible)
    after = np.asarray(crop(volume))[0]
    expected.append({"threshold": threshold, "margin": margin, "allow_smaller": allow_smaller,
                     "k_divisible": k_divisible, "size": list(after.shape),
                     "values": after.astype(int).ravel().tolist()})
print("[" + ",\n".join(json.dumps(case, separators=(",", ":")) for case in expected) + "]")
