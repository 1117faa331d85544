#!/usr/bin/env python3
"""Average precision of random sets by pycocotools 2.0, also with overlaps of boundaries (Cheng et al. 2021).

python average_precision.py    writes average_precision.json beside it
"""
import contextlib, copy, io, json
from pathlib import Path
import cv2
import numpy as np
from pycocotools import mask as masks
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval
from shared import Random

SETS, SIDE = 200, 200


def corners(r):
    x, y, w, h = r.below(180), r.below(180), r.between(4, 150), r.between(4, 150)
    dx, dy = r.below(w), r.below(h)
    return [x, y, min(SIDE, x + w), min(SIDE, y + dy), min(SIDE, x + w), min(SIDE, y + h), min(SIDE, x + dx), min(SIDE, y + h)]


def moved(r, ring):
    return [max(0, min(SIDE, value + r.between(-6, 6))) for value in ring]


def box(ring):
    xs, ys = ring[0::2], ring[1::2]
    return [min(xs), min(ys), max(xs) - min(xs), max(ys) - min(ys)]


def make_set(r):
    images, categories, truths, results = [], [], [], []
    image_id = category_id = 0
    for _ in range(r.between(1, 6)):
        image_id += r.between(1, 4)
        images.append({"id": image_id, "width": SIDE, "height": SIDE})
    for _ in range(r.between(1, 5)):
        category_id += r.between(1, 9)
        categories.append({"id": category_id, "name": f"c{category_id}"})
    if r.below(2):
        images.reverse()
        categories.reverse()
    for image in images:
        rings = []
        for _ in range(r.below(9)):
            ring = corners(r)
            category = categories[r.below(len(categories))]["id"]
            rings.append((ring, category))
            area = box(ring)[2] * box(ring)[3] if r.below(3) else r.below(20000)
            truths.append({"id": len(truths) + 1, "image_id": image["id"], "category_id": category, "iscrowd": int(r.below(8) == 0), "area": area, "bbox": box(ring), "segmentation": [ring]})
        for _ in range(r.below(25)):
            near = rings and r.below(3)
            ring, category = rings[r.below(len(rings))] if near else (corners(r), 0)
            ring = moved(r, ring) if near else ring
            if not near or r.below(5) == 0:
                category = categories[r.below(len(categories))]["id"]
            score = r.below(5) / 4 if r.below(2) else r.below(1000) / 1000
            results.append({"image_id": image["id"], "category_id": category, "score": score, "bbox": box(ring), "segmentation": [ring]})
    return {"images": images, "categories": categories, "annotations": truths}, results


def boundary(rle, ratio=0.02):
    """As boundary_iou_api defines it: pixels near one that is not in the mask, or near the image's edge."""
    mask = masks.decode(rle)
    height, width = mask.shape
    iterations = max(1, int(round(ratio * np.sqrt(height**2 + width**2))))
    padded = cv2.copyMakeBorder(mask, 1, 1, 1, 1, cv2.BORDER_CONSTANT, value=0)
    inner = cv2.erode(padded, np.ones((3, 3), np.uint8), iterations=iterations)[1:-1, 1:-1]
    return masks.encode(np.asfortranarray(mask - inner))


class BoundaryEval(COCOeval):
    def computeIoU(self, image, category):
        objects, found = self._gts[image, category], self._dts[image, category]
        if not objects or not found:
            return []
        order = np.argsort([-one["score"] for one in found], kind="mergesort")[:self.params.maxDets[-1]]
        found, objects = [found[i]["segmentation"] for i in order], [(one["segmentation"], int(one["iscrowd"])) for one in objects]
        crowd, objects = [flag for _, flag in objects], [rle for rle, _ in objects]
        return np.minimum(masks.iou(found, objects, crowd), masks.iou([boundary(one) for one in found], [boundary(one) for one in objects], crowd))


def stats(evaluator, truth, results, kind):
    with contextlib.redirect_stdout(io.StringIO()):
        gt = COCO()
        gt.dataset = copy.deepcopy(truth)
        gt.createIndex()
        e = evaluator(gt, gt.loadRes(copy.deepcopy(results)), kind)
        e.evaluate()
        e.accumulate()
        e.summarize()
    return [round(float(value), 15) for value in list(e.stats)[:12]]


def main():
    content = {"segm": [], "bbox": [], "boundary": []}
    for seed in range(SETS):
        truth, results = make_set(Random(seed))
        for kind in ("segm", "bbox"):
            content[kind].append(stats(COCOeval, truth, results, kind) if results else None)
        if seed < 50:
            content["boundary"].append(stats(BoundaryEval, truth, results, "segm") if results else None)
    lines = ",\n".join(f'"{kind}": [\n' + ",\n".join(json.dumps(row, separators=(",", ":")) for row in rows) + "]" for kind, rows in content.items())
    Path(__file__).with_suffix(".json").write_text("{" + lines + "}\n")


main()
