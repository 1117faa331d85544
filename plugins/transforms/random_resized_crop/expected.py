"""Windows that albumentations 2.0.8 draws, and a pattern that it resizes: expected.json for the test.

Run: python expected.py > expected.json
"""
import json

import albumentations
import numpy as np

HEIGHT, WIDTH = 18, 24
y, x = np.mgrid[:HEIGHT, :WIDTH]
image = np.abs((4 * (3 * x + 2 * y)) % 510 - 255).astype(np.uint8)
labels = ((x // 5 + y // 4) % 3).astype(np.uint8)
crop = albumentations.RandomResizedCrop((30, 35), scale=(1, 1), ratio=(WIDTH / HEIGHT, WIDTH / HEIGHT), p=1,
                                        mask_interpolation=6)  # cv2.INTER_NEAREST_EXACT: by the centers of pixels
after = crop(image=image, mask=labels)
pattern = {"size": list(after["image"].shape), "values": after["image"].ravel().tolist(),
           "labels": after["mask"].ravel().tolist()}

windows = []
for scale, ratio in [((0.08, 1), (3 / 4, 4 / 3)), ((0.2, 0.3), (1, 2)), ((1, 1), (3, 4)), ((0.8, 1), (3 / 4, 4 / 3))]:
    crop = albumentations.RandomResizedCrop((10, 10), scale=scale, ratio=ratio, p=1)
    crop.set_random_seed(1)
    drawn = np.array([crop.get_params_dependent_on_data({"shape": (100, 150)}, {})["crop_coords"]
                      for _ in range(5000)])
    drawn[:, 2:] -= drawn[:, :2]
    windows.append({"scale": scale, "ratio": ratio, "mean": drawn.mean(axis=0).round(3).tolist(),  # x, y, width, height
                    "deviation": drawn.std(axis=0).round(3).tolist()})
print(json.dumps({"pattern": pattern, "windows": windows}, separators=(",", ":")))
