"""Expected values of RoIAlign, NMS and pasted masks for odd boxes, scores and thresholds: python detection_edges.py

Those of torchvision 0.26, and run lengths by pycocotools 2.0. Inputs are by the hash of their names (README.md).
"""

import json
from pathlib import Path

import numpy as np
import torch
import torchvision
from pycocotools import mask as coco
from torchvision.models.detection.roi_heads import paste_masks_in_image

from detection_ops import boxes, numbers

ROIS = [[50, 60, 50, 60], [80, 90, 40, 30], [-1e6, -1e6, -9.5e5, -9.5e5], [1e6, 10, 1.05e6, 60], [-8, -8, 0, 0],
        [248, 184, 256, 192], [0.25, 0.5, 0.75, 0.625], [-16, 100, 300, 101]]  # reversed, far outside, at the border
LARGEST = [-1e6, -1e6, 1e6, 1e6]  # as many samples as asked for, or more than anyone could wait for


def roi_align_cases():
    cases = []
    features = numbers("edge features", 1, 3, 23, 31)
    for aligned in (False, True):
        for ratio in (2, 0):
            rois = torch.tensor(ROIS + ([LARGEST] if ratio else []), dtype=torch.float64)
            made = torchvision.ops.roi_align(features, [rois], 3, 0.125, ratio or -1, aligned)
            cases.append({"aligned": aligned, "sampling_ratio": ratio, "rois": rois.tolist(),
                          "output": [float(f"{value:.12g}") for value in made.flatten().tolist()]})
    return cases


def nms_cases():
    """Boxes on a grid: equal ones, some without area, some that are no numbers; few different scores."""
    cases = []
    for threshold in (0.0, 0.25, 1.0):
        name = f"edge nms {threshold}"
        found = ((boxes(name, 300, 60, 64, 64) / 8).round() * 8).float()
        scores = (numbers(name + " scores", 300, low=0) * 4).floor().float() / 4
        for i in range(300):
            if i % 37 == 5:
                scores[i] = float("nan")
            if i % 41 == 3:
                found[i, i % 4] = float("nan")
            if i % 43 == 7:
                found[i, 2] = float("inf")
        cases.append({"name": name, "threshold": threshold, "kept": torchvision.ops.nms(found, scores, threshold).tolist()})
    return cases


def paste_cases():
    cases = []
    for side in (1, 2, 5):
        for height, width in ((1, 1), (3, 7), (40, 30)):
            for threshold in (0.0, 0.3, 0.5, 1.0):
                name = f"edge paste {side} {height} {width} {threshold}"
                masks = (numbers(name, 12, side, side) * 2).clamp(0, 1).float()  # some are 0 and some 1
                found = boxes(name, 12, 20, height, width).float()
                found[0, 2:] = found[0, :2]
                pasted = []
                for mask, box in zip(masks, found):
                    try:
                        one = paste_masks_in_image(mask[None, None], box[None], (height, width))[0, 0] > threshold
                        pasted.append(coco.encode(np.asfortranarray(one.numpy().astype(np.uint8)))["counts"].decode())
                    except RuntimeError:  # of boxes wholly outside
                        pasted.append(None)
                cases.append({"name": name, "side": side, "image": [height, width], "threshold": threshold,
                              "pasted": pasted})
    return cases


def main():
    torch.set_num_threads(1)
    values = {"roi_align": roi_align_cases(), "nms": nms_cases(), "paste": paste_cases()}
    lines = [f'"{name}": {json.dumps(value, separators=(",", ":"))}' for name, value in values.items()]
    Path(__file__).with_suffix(".json").write_text("{\n" + ",\n".join(lines) + "\n}\n")


if __name__ == "__main__":
    main()
