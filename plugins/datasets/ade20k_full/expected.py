"""Pixels per class number and objects in small masks of the full ADE20K's layouts, read with Pillow: expected.json,
which ade20k_full_test.cpp compares with.

Run: SECTILE_DATA=<folder with format-fixtures/ade20k2017_dataset and ade20k2020_dataset> python expected.py > expected.json
"""
import json
import os
import pathlib

import numpy as np
from PIL import Image

data = pathlib.Path(os.environ["SECTILE_DATA"]) / "format-fixtures"
expected = {}
for release in ("ade20k2017_dataset", "ade20k2020_dataset"):
    for file in sorted((data / release).rglob("*_seg.png")):
        mask = np.asarray(Image.open(file)).astype(int)
        numbers = mask[..., 0] // 10 * 256 + mask[..., 1]
        pairs, counts = np.unique(np.stack([numbers, mask[..., 2]], -1).reshape(-1, 2), axis=0, return_counts=True)
        expected[str(file.relative_to(data))] = {
            "numbers": numbers.ravel().tolist(),
            "objects": [[int(number), int(blue), int(count)] for (number, blue), count in zip(pairs, counts) if number],
        }
    if release.endswith("2020_dataset"):
        names = {}
        for file in sorted((data / release / "dataset").rglob("*.json")):
            for one in json.loads(file.read_text())["annotation"]["object"]:
                if one["parts"]["part_level"] == 0:
                    names[one["name_ndx"]] = one["name"]
        expected["names_2020"] = [[number, names[number]] for number in sorted(names)]
print(json.dumps(expected))
