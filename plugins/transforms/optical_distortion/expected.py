"""What OpenCV makes of a pattern by the maps of a camera with given coefficients, and of albumentations' fisheye with the
center in the middle of the image: expected.json for the test.

Run: python expected.py > expected.json
"""
import json

import cv2
import numpy as np

HEIGHT, WIDTH = 18, 24
CENTER = (WIDTH - 1) / 2, (HEIGHT - 1) / 2  # OpenCV counts from the center of the first pixel
y, x = np.mgrid[:HEIGHT, :WIDTH]
image = np.abs((4 * (3 * x + 2 * y)) % 510 - 255).astype(np.uint8)
labels = ((x // 5 + y // 4) % 3).astype(np.uint8)


def maps(mode, k):
    if mode == "camera":
        camera = np.array([[WIDTH, 0, CENTER[0]], [0, HEIGHT, CENTER[1]], [0, 0, 1]])
        return cv2.initUndistortRectifyMap(camera, np.array([k, k, 0, 0, 0.]), None, camera, (WIDTH, HEIGHT), cv2.CV_32FC1)
    right, down = x - CENTER[0], y - CENTER[1]
    growth = 1 + k * (right**2 + down**2) / ((WIDTH / 2) ** 2 + (HEIGHT / 2) ** 2)
    return (right * growth + CENTER[0]).astype(np.float32), (down * growth + CENTER[1]).astype(np.float32)


expected = []
for mode, k in [("camera", 0.3), ("camera", -0.3), ("fisheye", 0.3), ("fisheye", -0.3)]:
    columns, rows = maps(mode, k)
    after = cv2.remap(image, columns, rows, cv2.INTER_LINEAR)
    mask = cv2.remap(labels, columns, rows, cv2.INTER_NEAREST, borderMode=cv2.BORDER_CONSTANT, borderValue=255)
    inside = cv2.remap(np.full_like(image, 255), columns, rows, cv2.INTER_LINEAR) == 255
    expected.append({"mode": mode, "k": k, "size": [HEIGHT, WIDTH],
                     "values": np.where(inside, after.astype(int), -1).ravel().tolist(),
                     "labels": np.where(mask == 255, -1, mask.astype(int)).ravel().tolist()})
print("[" + ",\n".join(json.dumps(case, separators=(",", ":")) for case in expected) + "]")
