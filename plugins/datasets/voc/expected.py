"""Counts of pixels per class in real VOC masks, read with Pillow: expected.json, which voc_test.cpp compares with.

Run: SECTILE_DATA=<folder with voc-mini/VOC2012> python expected.py > expected.json

The color map is that of the development kit's VOCcolormap.m, read here out of the masks' own palettes.
"""
import json
import os
import pathlib

import numpy as np
from PIL import Image

root = pathlib.Path(os.environ["SECTILE_DATA"]) / "voc-mini/VOC2012"
expected = {}
for split in ("train", "val"):
    names = (root / f"ImageSets/Segmentation/{split}.txt").read_text().split()
    masks = [np.asarray(Image.open(root / f"SegmentationClass/{name}.png")) for name in names]
    counts = sum(np.bincount(mask.ravel(), minlength=256) for mask in masks)
    assert counts[21:255].sum() == 0
    image = np.asarray(Image.open(root / f"JPEGImages/{names[0]}.jpg").convert("RGB"))
    expected[split] = {
        "names": names,
        "pixels": counts[:21].tolist(),
        "ignored": int(counts[255]),
        "classes_of_first": sorted(set(np.unique(masks[0]).tolist()) - {255}),
        "mean_of_first": image.reshape(-1, 3).mean(0).round(4).tolist(),
    }
    palette = Image.open(root / f"SegmentationClass/{names[0]}.png").getpalette()
expected["colors"] = np.asarray(palette).reshape(-1, 3)[:21].tolist()

# Objects, in masks of the same form that Labelme has made: number, class, pixels, and box as x, y, width, height.
root = pathlib.Path(os.environ["SECTILE_DATA"]) / "labelme-mini/instance_segmentation/data_dataset_voc"
expected["objects"] = {}
for file in sorted((root / "SegmentationObject").glob("*.png")):
    objects, classes = np.asarray(Image.open(file)), np.asarray(Image.open(root / "SegmentationClass" / file.name))
    found = []
    for number in np.unique(objects):
        pixels = objects == number
        votes = np.bincount(classes[pixels], minlength=256)[1:21]
        if number in (0, 255) or votes.sum() == 0:
            continue
        y, x = np.nonzero(pixels)
        box = [x.min(), y.min(), x.max() - x.min() + 1, y.max() - y.min() + 1]
        found.append([int(v) for v in (number, 1 + votes.argmax(), pixels.sum(), *box)])
    expected["objects"][file.stem] = found
print(json.dumps(expected))
