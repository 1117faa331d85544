"""Objects and labels of real COCO files: expected.json, which coco_instances_test.cpp compares with.

Run: SECTILE_DATA=<folder with coco128, nuclei-coco, nuts-coco> python expected.py > expected.json

Masks are those of pycocotools. Labels are made as by ConvertCocoPolysToMask in torchvision's
references/segmentation/coco_utils.py: the class of each pixel of one object, 0 of none, and ignored of several. Classes
are numbered from 1, by ascending id of the category.
"""
import json
import os
import pathlib

import numpy as np
from pycocotools.coco import COCO

root = pathlib.Path(os.environ["SECTILE_DATA"])
expected = {}
for name, file in {
    "coco128": "coco128/annotations/instances_train2017.json",
    "nuclei_train": "nuclei-coco/annotations/instances_train.json",
    "nuclei_val": "nuclei-coco/annotations/instances_val.json",
    "nuts": "nuts-coco/trainval.json",
}.items():
    stdout, os.sys.stdout = os.sys.stdout, open(os.devnull, "w")  # COCO prints
    coco = COCO(root / file)
    os.sys.stdout = stdout
    numbers = {category: i + 1 for i, category in enumerate(sorted(coco.getCatIds()))}
    areas, pixels, objects = {}, np.zeros(len(numbers) + 1, np.int64), np.zeros(len(numbers) + 1, np.int64)
    ignored = 0
    for image in coco.dataset["images"]:
        labels = np.zeros((image["height"], image["width"]), np.int64)
        covers = np.zeros_like(labels)
        for annotation in coco.loadAnns(coco.getAnnIds(image["id"])):
            mask = coco.annToMask(annotation)
            areas[annotation["id"]] = int(mask.sum())
            objects[numbers[annotation["category_id"]]] += 1
            labels = np.maximum(labels, mask * numbers[annotation["category_id"]])
            covers += mask
        ignored += int((covers > 1).sum())
        pixels += np.bincount(labels[covers < 2], minlength=len(pixels))
    ids = sorted(areas)
    expected[name] = {
        "images": len(coco.dataset["images"]), "objects": objects[1:].tolist(), "pixels": pixels.tolist(),
        "ignored": ignored, "area": sum(areas.values()), "first_areas": [[i, areas[i]] for i in ids[:10]],
        "empty": sum(not coco.getAnnIds(i) for i in coco.getImgIds()),
    }
print(json.dumps(expected))
