"""Names, numbers and colors of COCO-Stuff's classes: expected.json, which coco_stuff_test.cpp compares with.

Run: SECTILE_DATA=<folder with coco-panoptic-mini> python expected.py labels.txt > expected.json

labels.txt is that of https://github.com/nightrome/cocostuff, "id: name" per line. Things have the colors of
panoptic_coco_categories.json (cocodataset/panopticapi), which lists the 80 that are used. Stuff has those of getCMap in
cocostuffhelper.py (nightrome/cocostuffapi): 91 colors of matplotlib's jet at 70 % of their brightness, in the order of a
permutation of NumPy with seed 42, and a product with 255 that is cut, as where that tool writes a PNG.
"""
import json
import os
import pathlib
import sys

import matplotlib
import numpy as np

names = dict(line.strip().split(": ") for line in open(sys.argv[1]))
things = json.load(open(pathlib.Path(os.environ["SECTILE_DATA"]) / "coco-panoptic-mini/panoptic_coco_categories.json"))
things = {c["id"]: c for c in things if c["isthing"]}

colors = matplotlib.colormaps["jet"].resampled(91)(np.arange(91))[:, :3]
hsv = matplotlib.colors.rgb_to_hsv(colors)
hsv[:, 2] *= 0.7
colors = matplotlib.colors.hsv_to_rgb(hsv)
np.random.seed(42)
colors = (colors[np.random.permutation(91)] * 255).astype(int)

classes = []
for number in range(1, 183):
    if number >= 92:
        classes.append([number, names[str(number)], colors[number - 92].tolist(), False])
    elif number in things:
        assert things[number]["name"] == names[str(number)]
        classes.append([number, names[str(number)], things[number]["color"], True])
print(json.dumps({"classes": classes}))
