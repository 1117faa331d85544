"""What albumentations 2.0.8 does by given parameters: expected.json for the test. Fixed factors give exact values, random
noise a mean and a standard deviation, of a large image of one value.

Run: python expected.py > expected.json
"""
import json

import albumentations
import numpy as np

SIDE = 512
expected = {"multiplicative": [], "random": []}
image = np.arange(256, dtype=np.uint8).reshape(16, 16, 1)
for factor in (0.7, 1.0, 1.13, 2.5):
    change = albumentations.MultiplicativeNoise(multiplier=(factor, factor), p=1)
    expected["multiplicative"].append({"factor": factor, "values": change(image=image)["image"].ravel().tolist()})


def statistics(change, value, dtype=np.uint8):
    change.set_random_seed(7)
    after = change(image=np.full((SIDE, SIDE, 3), value, dtype))["image"].astype(np.float64)
    return {"value": value, "mean": round(float(after.mean()), 4), "deviation": round(float(after.std()), 4)}


for value, std, mean, factor in ((128, 0.1, 0, 1), (100, 0.05, 0.2, 1), (30, 0.2, 0, 1), (128, 0.1, 0, 0.5)):
    change = albumentations.GaussNoise(std_range=(std, std), mean_range=(mean, mean), noise_scale_factor=factor, p=1)
    options = {"mode": "gaussian", "std_range": [std, std], "mean_range": [mean, mean], "noise_scale_factor": factor}
    expected["random"].append({"options": options, **statistics(change, value)})
change = albumentations.MultiplicativeNoise(multiplier=(0.5, 1.5), elementwise=True, per_channel=True, p=1)
options = {"mode": "multiplicative", "multiplier": [0.5, 1.5], "elementwise": True, "per_channel": True}
expected["random"].append({"options": options, **statistics(change, 100)})
for value, scale in ((20, 0.1), (128, 0.1), (250, 0.1), (128, 0.01)):
    change = albumentations.ShotNoise(scale_range=(scale, scale), p=1)
    options = {"mode": "poisson", "scale_range": [scale, scale]}
    expected["random"].append({"options": options, **statistics(change, value)})
print("{" + ",\n".join('"%s":[%s]' % (name, ",\n".join(json.dumps(case, separators=(",", ":")) for case in cases))
                       for name, cases in expected.items()) + "}")
