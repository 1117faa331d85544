"""Pixels per class in real masks of SceneParse150, read with Pillow: expected.json, which ade20k_test.cpp compares with.

Run: SECTILE_DATA=<folder with ade20k-mini> python expected.py > expected.json

Names are those of the data's own objectInfo150.txt.
"""
import json
import os
import pathlib

import numpy as np
from PIL import Image

root = pathlib.Path(os.environ["SECTILE_DATA"]) / "ade20k-mini/ADEChallengeData2016"
names = [line.split("\t")[4] for line in (root / "objectInfo150.txt").read_text().splitlines()[1:]]
samples = []
for file in sorted((root / "annotations/validation").glob("*.png")):
    counts = np.bincount(np.asarray(Image.open(file)).ravel(), minlength=256)
    image = np.asarray(Image.open(root / f"images/validation/{file.stem}.jpg").convert("RGB"))
    samples.append({
        "name": file.stem,
        "size": list(image.shape[:2]),
        "pixels": {names[i - 1].split(",")[0].strip(): int(counts[i]) for i in range(1, 151) if counts[i]},
        "ignored": int(counts[0] + counts[255]),
        "mean": image.reshape(-1, 3).mean(0).round(4).tolist(),
    })
print(json.dumps({"names": [name.split(",")[0].strip() for name in names], "samples": samples}))
