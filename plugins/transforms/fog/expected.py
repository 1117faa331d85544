"""What albumentations 2.0.8 makes of images by given parameters: without fog, the pixels of its blur; with fog, the mean
brightness of what was black, of the whole image and of its middle, over many images. expected.json for the test.

Run: python expected.py > expected.json
"""
import json

import albumentations
import numpy as np

TIMES = 100
y, x, c = np.mgrid[0:12, 0:15, 0:3]
image = ((x * 31 + y * 47 + c * 71 + (x * y * 11) % 97) % 256).astype(np.uint8)
expected = {"blur": [], "fog": []}
change = albumentations.RandomFog(fog_coef_range=(0, 0), p=1)
expected["blur"].append({"values": change(image=image)["image"].ravel().tolist()})
for density, alpha, value, size in ((1, 0.08, 0, (60, 90)), (0.4, 0.08, 0, (60, 90)), (1, 1, 0, (60, 90)),
                                    (0.8, 0.05, 200, (96, 64))):
    change = albumentations.RandomFog(fog_coef_range=(density, density), alpha_coef=alpha, p=1)
    change.set_random_seed(5)
    means, middles = [], []
    for _ in range(TIMES):
        after = change(image=np.full((*size, 3), value, np.uint8))["image"]
        means.append(float(after.mean()))
        middles.append(float(after[size[0] // 3:size[0] * 2 // 3, size[1] // 3:size[1] * 2 // 3].mean()))
    expected["fog"].append({"density": density, "alpha": alpha, "value": value, "height": size[0], "width": size[1],
                            "mean": round(float(np.mean(means)), 3), "mean_deviation": round(float(np.std(means)), 3),
                            "middle": round(float(np.mean(middles)), 3),
                            "middle_deviation": round(float(np.std(middles)), 3)})
print("{" + ",\n".join('"%s":[%s]' % (name, ",\n".join(json.dumps(case, separators=(",", ":")) for case in cases))
                       for name, cases in expected.items()) + "}")
