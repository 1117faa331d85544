"""Statistics of real and made datasets, computed with numpy and Pillow: data_stats.json, which data_stats_test.cpp
compares with.

Run: SECTILE_DATA=<folder with camvid and voc-mini> python data_stats.py > data_stats.json
"""
import json
import os
import pathlib

import numpy as np
from PIL import Image

IGNORED = 255


def statistics(images, masks, classes, unit):
    pixels = np.concatenate([image.reshape(-1, image.shape[-1]) for image in images]).astype(np.float64)
    labels = [mask.ravel() for mask in masks]
    counts = np.array([np.bincount(mask[mask != IGNORED], minlength=classes) for mask in labels])  # [images, classes]
    total, present = counts.sum(0), counts > 0
    counted = counts.sum()
    with np.errstate(divide="ignore", invalid="ignore"):
        occurs = total > 0
        inverse = np.where(occurs, counted / (occurs.sum() * total), 0)
        frequency = total / (counts.sum(1)[:, None] * present).sum(0)
        median = np.where(occurs, np.median(frequency[occurs]) / frequency, 0)
        enet = 1 / np.log(1.02 + total / counted)
        number = present.sum(0)
        effective = np.where(occurs, (1 - 0.999) / (1 - np.power(0.999, number)), 0)
        effective *= occurs.sum() / effective.sum()
    sizes = sorted((mask.shape[0] * mask.shape[1], *mask.shape) for mask in masks)
    return {
        "images": len(images),
        "class_images": number.tolist(),
        "pixels": total.tolist(),
        "share": (total / counted).tolist(),
        "ignored": int(sum((mask == IGNORED).sum() for mask in labels)),
        "ignored_share": float(np.mean(np.concatenate(labels) == IGNORED)),
        "class_weights": {
            "inverse_frequency": inverse.tolist(),
            "median_frequency": median.tolist(),
            "enet": enet.tolist(),
            "effective_number": effective.tolist(),
        },
        "mean": (pixels.mean(0) / unit).tolist(),
        "deviation": (pixels.std(0) / unit).tolist(),
        "smallest": sizes[0][1:],
        "median": sizes[(len(sizes) - 1) // 2][1:],
        "largest": sizes[-1][1:],
        "different": len(set(sizes)),
    }


def read(file):
    return np.asarray(Image.open(file))


def camvid(root, split):
    images = [read(file) for file in sorted((root / split).glob("*.png"))]
    masks = [read(file) for file in sorted((root / f"{split}annot").glob("*.png"))]
    return statistics(images, [np.where(mask == 11, IGNORED, mask) for mask in masks], 11, 255)


def voc(root, split):
    names = (root / f"ImageSets/Segmentation/{split}.txt").read_text().split()
    images = [np.asarray(Image.open(root / f"JPEGImages/{name}.jpg").convert("RGB")) for name in names]
    return statistics(images, [read(root / f"SegmentationClass/{name}.png") for name in names], 21, 255)


def made():
    """The same formulas as in the test: 16 bits, three sizes, four classes of which the last does not occur."""
    images, masks = [], []
    for i, (height, width) in enumerate([(5, 7), (6, 4), (5, 7), (9, 3)]):
        y, x, c = np.ogrid[:height, :width, :3]
        images.append((i * 7919 + y * 613 + x * 1009 + c * 4001 + y * x * 37) * 5 % 65536)
        label = (x[:, :, 0] * (1 + i) + 2 * y[:, :, 0] + i) % 5
        masks.append(np.where(label >= 3, IGNORED, label))
    return statistics(images, masks, 4, 65535)


data = pathlib.Path(os.environ["SECTILE_DATA"])
print(json.dumps({
    "camvid": {split: camvid(data / "camvid", split) for split in ("train", "val", "test")},
    "voc": {split: voc(data / "voc-mini/VOC2012", split) for split in ("train", "val")},
    "made": made(),
}))
