#!/usr/bin/env python3
"""Digests of masks by pycocotools 2.0: random ones, and those of real files where SECTILE_DATA names their folder.

python masks.py    writes masks.json beside it
"""
import json, os, struct
from pathlib import Path
import numpy as np
from pycocotools import mask as M
from pycocotools.coco import COCO
from shared import Digest, Random

BATCHES, CASES = 100, 100
FILES = {"coco128": "coco128/annotations/instances_train2017.json", "nuts": "nuts-coco/trainval.json",
         "nuclei_train": "nuclei-coco/annotations/instances_train.json", "nuclei_val": "nuclei-coco/annotations/instances_val.json",
         "coco_eval": "coco-eval/instances_val2014_100.json"}


def described(rle):
    counts = rle["counts"].decode() if isinstance(rle["counts"], bytes) else rle["counts"]
    return f"{counts} {M.area(rle)} {' '.join(str(int(v)) for v in M.toBbox(rle))}\n"


def bits(number):
    return struct.pack(">d", number).hex()


def coordinate(r, size, kind):
    whole = r.between(-20, size + 20)
    return whole if kind == 0 else whole + r.below(4) / 4 if kind == 1 else whole + r.below(100) / 100 if kind == 2 else whole + r.below(1000) / 7


def polygon(r, h, w):
    kind, corners = r.below(4), r.between(3, 12)
    ring = []
    for _ in range(corners):
        ring.append(float(coordinate(r, w, kind)))
        ring.append(float(coordinate(r, h, kind)))
    return ring


def runs(r, h, w):
    counts, left = [], h * w
    while left:
        count = min(left, r.below(9) if not counts else 1 + r.below(8))  # a merge by pycocotools splits runs where an empty one was
        counts.append(count)
        left -= count
    return M.frPyObjects({"size": [h, w], "counts": counts}, h, w)


def case(r):
    """Text that tells two masks, their union, intersection, and IoU with either as a crowd."""
    h, w, kind = r.between(1, 70), r.between(1, 70), r.below(4)
    if kind == 3:
        box = [float(r.between(-10, w + 10)) + r.below(10) / 10, float(r.between(-10, h + 10)) + r.below(10) / 10, r.below(400) / 10, r.below(400) / 10]
        first = M.frPyObjects(np.array([box]), h, w)[0]
    else:
        first = M.merge(M.frPyObjects([polygon(r, h, w) for _ in range(r.between(1, 3))], h, w)) if kind < 2 else runs(r, h, w)
    second = runs(r, h, w)
    text = described(first) + described(M.merge([first, second])) + described(M.merge([first, second], True))
    for crowd in (0, 1):
        text += bits(M.iou([first], [second], [crowd])[0, 0]) + "\n"
    return text


def of_file(path):
    digest, coco = Digest(), COCO(path)
    by_image = {}
    for annotation in coco.dataset["annotations"]:
        by_image.setdefault(annotation["image_id"], []).append(annotation)
    for image in coco.dataset["images"]:
        for annotation in by_image.get(image["id"], []):
            digest.add(described(coco.annToRLE(annotation)))
    return {"annotations": len(coco.dataset["annotations"]), "digest": digest.hex()}


def main():
    batches = []
    for batch in range(BATCHES):
        digest = Digest()
        for i in range(CASES):
            digest.add(case(Random(batch * CASES + i)))
        batches.append(digest.hex())
    data = Path(os.environ["SECTILE_DATA"])
    content = {"random": batches, "files": {name: {"file": file, **of_file(str(data / file))} for name, file in FILES.items()}}
    Path(__file__).with_suffix(".json").write_text(json.dumps(content, indent=1) + "\n")


main()
