"""Expected values of RoIAlign, NMS, boxes and pasted masks: python detection_ops.py

Those of torchvision 0.26, and run lengths by pycocotools 2.0. Inputs are by the hash of their names (README.md).
"""

import json
from pathlib import Path

import numpy as np
import torch
import torchvision
from pycocotools import mask as coco
from torchvision.models.detection._utils import BoxCoder
from torchvision.models.detection.roi_heads import paste_masks_in_image

import name_hash

IMAGE = (120, 150)  # height, width


def numbers(name, *shape, low=-1.0, high=1.0):
    count = int(np.prod(shape))
    return torch.from_numpy((name_hash.uniform(name, count) + 1) / 2 * (high - low) + low).view(*shape)


def boxes(name, count, largest, height, width):
    """Also over the edges, and some of a fraction of a pixel."""
    centers = numbers(name + " centers", count, 2, low=-0.1, high=1.1) * torch.tensor([width, height])
    sides = numbers(name + " sides", count, 2, low=0.05, high=1) ** 3 * largest
    return torch.cat([centers - sides / 2, centers + sides / 2], 1)


def sampled(tensor, count=24):
    flat = tensor.detach().double().flatten()
    positions = [min(k * flat.numel() // count + k % 7, flat.numel() - 1) for k in range(count)]
    return {"shape": list(tensor.shape), "largest": flat.abs().max().item(), "positions": positions,
            "values": [float(f"{flat[i].item():.12g}") for i in positions]}


def roi_align_cases():
    cases = []
    for aligned in (False, True):
        for ratio in (2, 0):
            for size in (7, 3):
                name = f"roi {aligned:d} {ratio} {size}"
                features = numbers(name + " features", 2, 20, 23, 31).requires_grad_()
                rois = boxes(name, 16, 200, 184, 248)
                images = torch.tensor([i % 2 for i in range(16)])
                made = torchvision.ops.roi_align(
                    features, torch.cat([images[:, None].double(), rois], 1), size, 0.125, ratio or -1, aligned)
                (made * numbers(name + " weights", *made.shape)).sum().backward()
                cases.append({"name": name, "aligned": aligned, "sampling_ratio": ratio, "output_size": size,
                              "output": sampled(made), "gradient": sampled(features.grad)})
    return cases


def nms_cases():
    cases = []
    for threshold in (0.3, 0.5, 0.9):
        for classes in (1, 5):
            name = f"nms {threshold} {classes}"
            found = boxes(name, 400, 120, *IMAGE).float()
            scores = numbers(name + " scores", 400, low=0).float()
            category = torch.tensor([i * 7 % classes for i in range(400)])
            kept = torchvision.ops.boxes._batched_nms_vanilla(found, scores, category, threshold)
            cases.append({"name": name, "threshold": threshold, "classes": classes, "kept": kept.tolist()})
    return cases


def box_cases():
    coder = BoxCoder((10.0, 10.0, 5.0, 5.0))
    wanted, given = boxes("wanted", 12, 90, *IMAGE), boxes("given", 12, 90, *IMAGE)
    deltas = numbers("deltas", 12, 12, low=-40, high=40)
    return {"encoded": coder.encode_single(wanted, given).tolist(),
            "decoded": coder.decode_single(deltas, given).view(12, 3, 4).tolist()}


def paste_cases():
    masks = numbers("masks", 40, 28, 28).float()
    smooth = torch.nn.functional.avg_pool2d(masks[:, None], 5, 1, 2)  # objects, not noise
    probabilities = torch.cat([(smooth[:30] * 12).sigmoid(), masks[30:, None].sigmoid()])
    found = torchvision.ops.clip_boxes_to_image(boxes("paste", 40, 160, *IMAGE).float(), IMAGE)  # as those of detections
    pasted = (paste_masks_in_image(probabilities, found, IMAGE)[:, 0] > 0.5).numpy().astype(np.uint8)
    return [coco.encode(np.asfortranarray(one))["counts"].decode() for one in pasted]


def main():
    torch.set_num_threads(1)
    values = {"roi_align": roi_align_cases(), "nms": nms_cases(), "boxes": box_cases(), "paste": paste_cases()}
    lines = [f'"{name}": {json.dumps(value, separators=(",", ":"))}' for name, value in values.items()]
    Path(__file__).with_suffix(".json").write_text("{\n" + ",\n".join(lines) + "\n}\n")


if __name__ == "__main__":
    main()
