"""What mmsegmentation 1.2.2's GenerateEdge makes of label maps: expected.json for the test.

Run where mmsegmentation and mmcv-lite are installed: python expected.py > expected.json
"""
import json
import pathlib
import sys

import numpy as np

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[3] / "tests/parity"))
import mmseg_operators  # noqa: E402,F401  (before mmseg)
from mmseg.datasets.transforms import GenerateEdge  # noqa: E402

IGNORE = 255
CASES = [((7, 9), 3), ((12, 10), 1), ((9, 13), 2), ((8, 8), 5), ((1, 6), 3), ((6, 1), 3), ((1, 1), 3)]
random = np.random.default_rng(1)
expected = []
for (height, width), edge_width in CASES:
    labels = np.zeros((height, width), np.uint8)
    for _ in range(4):  # boxes of classes on each other, and ignored pixels
        y, x = random.integers(0, height), random.integers(0, width)
        labels[y:y + random.integers(1, 6), x:x + random.integers(1, 6)] = random.integers(0, 4)
    labels[random.random((height, width)) < 0.06] = IGNORE
    result = GenerateEdge(edge_width=edge_width, ignore_index=IGNORE)(
        {"img_shape": (height, width), "gt_seg_map": labels})
    expected.append({"size": [height, width], "width": edge_width,
                     "labels": np.where(labels == IGNORE, -1, labels.astype(int)).ravel().tolist(),
                     "edges": result["gt_edge_map"].astype(int).ravel().tolist()})
print("[" + ",\n".join(json.dumps(case, separators=(",", ":")) for case in expected) + "]")
