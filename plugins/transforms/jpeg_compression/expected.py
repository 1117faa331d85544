"""What OpenCV makes of a small image by compressing and decoding it: expected.json for the test. Red and blue are
exchanged before and after, since OpenCV takes BGR, which albumentations 2.0.8 does not do.

Run: python expected.py > expected.json
"""
import json

import cv2
import numpy as np

y, x, c = np.mgrid[0:11, 0:19, 0:3]
image = np.clip(128 + 80 * np.sin(x / 4.0 + c) + 40 * np.cos(y / 3.0 - 2 * c), 0, 255).astype(np.uint8)
expected = []
for name, flag, quality, channels in (("jpeg", cv2.IMWRITE_JPEG_QUALITY, 90, 3), ("jpeg", cv2.IMWRITE_JPEG_QUALITY, 20, 3),
                                      ("jpeg", cv2.IMWRITE_JPEG_QUALITY, 40, 1), ("webp", cv2.IMWRITE_WEBP_QUALITY, 50, 3),
                                      ("webp", cv2.IMWRITE_WEBP_QUALITY, 20, 1)):
    before = image[..., ::-1] if channels == 3 else image[..., 0]
    _, file = cv2.imencode(".jpg" if name == "jpeg" else ".webp", np.ascontiguousarray(before), (flag, quality))
    after = cv2.imdecode(file, cv2.IMREAD_COLOR if channels == 3 else cv2.IMREAD_GRAYSCALE)
    after = after[..., ::-1] if channels == 3 else after
    expected.append({"type": name, "quality": quality, "channels": channels, "before": image[..., :channels].ravel().tolist(),
                     "after": after.ravel().tolist()})
print("[" + ",\n".join(json.dumps(case, separators=(",", ":")) for case in expected) + "]")
