"""What albumentations 2.0.8 makes of a pattern by given affine parameters: expected.json for the test.

Run: python expected.py > expected.json
"""
import json

import albumentations
import numpy as np

HEIGHT, WIDTH = 18, 24
CASES = [  # x and y
    {"scale": (1.3, 0.8)},
    {"rotate": 33},
    {"shear": (12, -7)},
    {"translate_px": (3, -2)},
    {"translate_percent": (0.15, -0.2)},
    {"scale": (0.8, 0.9), "rotate": -20, "shear": (5, 15), "translate_px": (-1, 2)},
]
y, x = np.mgrid[:HEIGHT, :WIDTH]
image = np.abs((4 * (3 * x + 2 * y)) % 510 - 255).astype(np.uint8)
labels = ((x // 5 + y // 4) % 3).astype(np.uint8)
BOX = [7, 4, 19, 11]  # left, top, right, bottom


def box_by(method, given):
    affine = albumentations.Compose([albumentations.Affine(**given, rotate_method=method, p=1)],
                                    bbox_params=albumentations.BboxParams("pascal_voc", label_fields=[]))
    return [round(float(edge), 4) for edge in affine(image=image, bboxes=[BOX])["bboxes"][0]]


expected = []
for case in CASES:
    given = {name: (value, value) if name == "rotate" else {"x": (value[0], value[0]), "y": (value[1], value[1])}
             for name, value in case.items()}
    affine = albumentations.Affine(**given, fill_mask=255, p=1)
    after = affine(image=image, mask=labels)
    inside = affine(image=np.full_like(image, 255))["image"] == 255
    options = {name: value if name == "rotate" else [value[0], value[0], value[1], value[1]]
               for name, value in case.items()}
    expected.append({"options": options, "size": list(after["image"].shape),
                     "values": np.where(inside, after["image"].astype(int), -1).ravel().tolist(),
                     "boxes": {method: box_by(method, given) for method in ["largest_box", "ellipse"]},
                     "labels": np.where(after["mask"] == 255, -1, after["mask"].astype(int)).ravel().tolist()})
print("[" + ",\n".join(json.dumps(case, separators=(",", ":")) for case in expected) + "]")
