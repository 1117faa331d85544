"""Pixels by Pillow and cv2, and sizes by torchvision's detection transform: expected.json for the test.

Run with Pillow 12.2 or earlier, opencv-python-headless 5.0 and torchvision 0.26: python expected.py > expected.json
"""
import json

import cv2
import numpy as np
import torch
from PIL import Image
from torchvision.models.detection.transform import GeneralizedRCNNTransform

cv2.ipp.setUseIPP(False)  # Intel's code, which only some builds have, rounds otherwise
PILLOW = {"nearest": Image.NEAREST, "bilinear": Image.BILINEAR, "bicubic": Image.BICUBIC, "lanczos": Image.LANCZOS}
CV2 = {"nearest": cv2.INTER_NEAREST, "bilinear": cv2.INTER_LINEAR, "bicubic": cv2.INTER_CUBIC,
       "lanczos": cv2.INTER_LANCZOS4, "area": cv2.INTER_AREA}


def image(height, width, kind):
    """Scattered values over the whole range of the type: the test makes the same."""
    i = np.arange(height * width * (3 if kind == "8U" else 1), dtype=np.int64)
    values = (i * i * 40503 + i * 9973) % 65521
    if kind == "8U":
        return (values % 256).astype(np.uint8).reshape(height, width, 3)
    if kind == "16U":
        return values.astype(np.uint16).reshape(height, width)
    return (values / 65536).astype(np.float32).reshape(height, width)


def resized(before, backend, interpolation, height, width):
    if backend == "cv2":
        return cv2.resize(before, (width, height), interpolation=CV2[interpolation])
    return np.asarray(Image.fromarray(before).resize((width, height), PILLOW[interpolation]))


def pixel_case(backend, interpolation, kind, before, after):
    values = resized(image(*before, kind), backend, interpolation, *after).ravel().tolist()
    return {"backend": backend, "interpolation": interpolation, "kind": kind, "from": before, "to": after,
            "values": [float(f"{v:.9g}") for v in values] if kind == "32F" else values}


def size_case(shortest, longest, height, width):
    transform = GeneralizedRCNNTransform(shortest, longest, [0.0], [1.0])
    transform.eval()
    after, _ = transform.resize(torch.zeros(1, height, width), None)
    return {"shortest_edge": shortest, "longest_edge": longest, "from": [height, width], "to": list(after.shape[1:])}


METHODS = [("pillow", name) for name in PILLOW] + [("cv2", name) for name in CV2]
SIZES = [([13, 11], [5, 4]), ([4, 5], [7, 6]), ([12, 10], [6, 5]), ([3, 9], [7, 4])]
pixels = [pixel_case(*method, "8U", *sizes) for method in METHODS for sizes in SIZES]
pixels += [pixel_case(backend, interpolation, kind, [13, 5], [5, 6]) for kind in ("16U", "32F")
           for backend, interpolation in (("pillow", "bilinear"), ("cv2", "bilinear"), ("cv2", "area"))]
pixels += [pixel_case(backend, "bicubic", "32F", [13, 5], [5, 6]) for backend in ("pillow", "cv2")]
sizes = [size_case(*case) for case in [(800, 1333, 480, 640), (800, 1333, 333, 500), (800, 1333, 1000, 400),
                                       (800, 1333, 100, 701), (100, 170, 800, 1333), (64, 90, 77, 131)]]
print('{"pixels": [' + ",\n".join(json.dumps(case, separators=(",", ":")) for case in pixels) + '],\n"sizes": ['
      + ",\n".join(json.dumps(case) for case in sizes) + "]}")
