"""Labels, segments and objects of real panoptic PNGs, read with Pillow: expected.json, for coco_panoptic_test.cpp.

Run: SECTILE_DATA=<folder with coco-panoptic-mini> python expected.py > expected.json

The numbers are those of rgb2id (utils.py), panoptic2semantic_segmentation.py and panoptic2detection_coco_format.py of
https://github.com/cocodataset/panopticapi; run lengths and boxes of objects are pycocotools'.
"""
import json
import os
import pathlib

import numpy as np
from PIL import Image
from pycocotools import mask as masks

root = pathlib.Path(os.environ["SECTILE_DATA"]) / "coco-panoptic-mini"
file = json.load(open(root / "panoptic_examples.json"))
categories = {c["id"]: c for c in file["categories"]}
expected = {
    "classes": [[c["id"], c["name"], c["color"], c["isthing"] == 1] for _, c in sorted(categories.items())],
    "images": {},
}
for annotation in file["annotations"]:
    png = np.asarray(Image.open(root / "panoptic_examples" / annotation["file_name"])).astype(np.int64)
    ids = png[..., 0] + 256 * png[..., 1] + 65536 * png[..., 2]
    pixels, things = {}, []
    for s in annotation["segments_info"]:
        mask = ids == s["id"]
        assert mask.sum() == s["area"]
        pixels[s["category_id"]] = pixels.get(s["category_id"], 0) + int(mask.sum())
        if categories[s["category_id"]]["isthing"]:
            rle = masks.encode(np.asfortranarray(mask.astype(np.uint8)))
            things.append([s["id"], s["category_id"], s["iscrowd"], s["area"], masks.toBbox(rle).astype(int).tolist(),
                           rle["counts"].decode()])
    expected["images"][annotation["file_name"][:-4]] = {
        "pixels": sorted(pixels.items()), "void": int((ids == 0).sum()), "things": things,
        "segments": [[s["id"], s["category_id"], s["iscrowd"]] for s in annotation["segments_info"]],
    }
print(json.dumps(expected))
