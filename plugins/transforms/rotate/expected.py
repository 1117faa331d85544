"""What albumentations 2.0.8 makes of a pattern by given angles: expected.json for the test.

Run: python expected.py > expected.json
"""
import json

import albumentations
import numpy as np

HEIGHT, WIDTH = 18, 24
y, x = np.mgrid[:HEIGHT, :WIDTH]
image = np.abs((4 * (3 * x + 2 * y)) % 510 - 255).astype(np.uint8)
labels = ((x // 5 + y // 4) % 3).astype(np.uint8)
BOX = [7, 4, 19, 11]  # left, top, right, bottom


def box_by(method, **given):
    rotate = albumentations.Compose([albumentations.Rotate(**given, rotate_method=method, p=1)],
                                    bbox_params=albumentations.BboxParams("pascal_voc", label_fields=[]))
    return [round(float(edge), 4) for edge in rotate(image=image, bboxes=[BOX])["bboxes"][0]]


expected = []
for angle, crop_border in [(30, False), (-75.5, False), (180, False), (12, True), (-50, True), (180, True)]:
    rotate = albumentations.Rotate(limit=(angle, angle), crop_border=crop_border, fill_mask=255, p=1)
    after = rotate(image=image, mask=labels)
    inside = rotate(image=np.full_like(image, 255))["image"] == 255
    expected.append({"angle": angle, "crop_border": crop_border, "size": list(after["image"].shape),
                     "values": np.where(inside, after["image"].astype(int), -1).ravel().tolist(),
                     "boxes": {method: box_by(method, limit=(angle, angle), crop_border=crop_border)
                               for method in ["largest_box", "ellipse"]},
                     "labels": np.where(after["mask"] == 255, -1, after["mask"].astype(int)).ravel().tolist()})
print("[" + ",\n".join(json.dumps(case, separators=(",", ":")) for case in expected) + "]")
