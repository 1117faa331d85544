"""Times of counting as Python's users do it, as JSON:

metrics.py miou TRUTH PREDICTIONS CLASSES TYPE   metrics.py pq_count TRUTH PREDICTIONS
metrics.py pq_files TRUTH PREDICTIONS
metrics.py make_panoptic FOLDER IMAGES      metrics.py make_label_maps FOLDER CAMVID IMAGES

The last two write what is compared. pq_… need panopticapi.
"""
import contextlib
import io
import json
import os
import sys
import time

import numpy as np
from PIL import Image


def measured(work):
    start = time.perf_counter()
    with contextlib.redirect_stdout(io.StringIO()):
        result = work()
    print(json.dumps({"seconds": time.perf_counter() - start, "result": float(result)}))


def miou(truth, predictions, classes, dtype):
    """A confusion matrix by one bincount per image, as in FCN's score.py, which most repositories still have."""
    classes = int(classes)
    pairs = [[np.array(Image.open(os.path.join(folder, name))).astype(dtype) for folder in (truth, predictions)]
             for name in sorted(os.listdir(truth))]

    def work():
        matrix = np.zeros((classes, classes), np.int64)
        for label, found in pairs:
            counts = label < classes
            matrix += np.bincount(classes * label[counts].astype(int) + found[counts],
                                  minlength=classes**2).reshape(classes, classes)
        with np.errstate(invalid="ignore"):
            return np.nanmean(np.diag(matrix) / (matrix.sum(0) + matrix.sum(1) - np.diag(matrix)))
    measured(work)


class Decoded:
    """A map of ids that panopticapi takes for an open image, without a copy."""

    def __init__(self, ids):
        self.ids = ids

    def __array__(self, dtype=None, copy=None):
        return self.ids


def pq_count(truth, predictions):
    """pq_compute_single_core itself, for which an image file is a map that was decoded before."""
    from panopticapi import evaluation
    contents, maps = [], {}
    for file in (truth, predictions):
        with open(file) as opened:
            contents.append(json.load(opened))
        for one in contents[-1]["annotations"]:
            path = os.path.join(file.removesuffix(".json"), one["file_name"])
            maps[path] = Decoded(evaluation.rgb2id(np.array(Image.open(path), dtype=np.uint32)))
    evaluation.Image = type("Files", (), {"open": staticmethod(maps.__getitem__)})
    evaluation.rgb2id = lambda ids: ids
    categories = {one["id"]: one for one in contents[0]["categories"]}
    found = {one["image_id"]: one for one in contents[1]["annotations"]}
    pairs = [(one, found[one["image_id"]]) for one in contents[0]["annotations"]]

    def work():
        stat = evaluation.pq_compute_single_core(0, pairs, truth.removesuffix(".json"),
                                                 predictions.removesuffix(".json"), categories)
        return stat.pq_average(categories, None)[0]["pq"]
    measured(work)


def pq_files(truth, predictions):
    from panopticapi.evaluation import pq_compute
    measured(lambda: pq_compute(truth, predictions)["All"]["pq"])


def make_panoptic(folder, images):
    """Street-like scenes of 1024 x 2048 pixels: 11 kinds of bands, 8 of things; predictions are their distortion."""
    height, width, stuff, things = 1024, 2048, 11, 8
    random = np.random.default_rng(3)
    y, x = np.ogrid[:height, :width]
    sides = {name: {"images": [], "annotations": [],
                    "categories": [{"id": c + 1, "name": f"c{c + 1}", "isthing": int(c >= stuff)}
                                   for c in range(stuff + things)]} for name in ("truth", "found")}
    for name in sides:
        os.makedirs(os.path.join(folder, name), exist_ok=True)
    for image in range(int(images)):
        bands = [(int(random.integers(stuff)) + 1, random.uniform(0, height), random.uniform(40, 300),
                  random.uniform(5, 40), random.uniform(90, 250)) for _ in range(8)]
        blobs = [(int(random.integers(things)) + stuff + 1, random.uniform(0, height), random.uniform(0, width),
                  random.uniform(6, 120), random.uniform(6, 120)) for _ in range(22)]
        for name, side in sides.items():
            shake = 0.0 if name == "truth" else 1.0
            ids, segments = np.zeros((height, width), np.uint32), []

            def add(place, inside, category):
                segments.append({"id": len(segments) * 263 + 1, "category_id": category,
                                 "iscrowd": int(not shake and random.random() < 0.02)})
                place[inside] = segments[-1]["id"]

            for category, top, high, swing, wave in bands:
                move = shake * random.normal(0, 15)
                edge = top + move + swing * np.sin(x / wave)
                add(ids, (y >= edge) & (y < edge + high), category)
            for category, row, column, high, wide in blobs:
                if shake and random.random() < 0.1:
                    continue
                row, column = row + shake * random.normal(0, 6), column + shake * random.normal(0, 6)
                top, left = max(0, int(row - high)), max(0, int(column - wide))
                part = slice(top, int(row + high) + 1), slice(left, int(column + wide) + 1)
                inside = ((y[part[0]] - row) / high)**2 + ((x[:, part[1]] - column) / wide)**2 < 1
                add(ids[part], inside, category)
            known, areas = np.unique(ids, return_counts=True)
            area_of = dict(zip(known.tolist(), areas.tolist()))
            listed = [{**one, "area": area_of[one["id"]]} for one in segments if one["id"] in area_of]
            Image.fromarray(np.stack([ids & 255, ids >> 8 & 255, ids >> 16], -1).astype(np.uint8)).save(
                os.path.join(folder, name, f"{image}.png"), compress_level=3)
            side["images"].append({"id": image, "file_name": f"{image}.jpg", "width": width, "height": height})
            side["annotations"].append({"image_id": image, "file_name": f"{image}.png", "segments_info": listed})
    for name, side in sides.items():
        with open(os.path.join(folder, name + ".json"), "w") as file:
            json.dump(side, file)


def make_label_maps(folder, camvid, images):
    """CamVid's label maps, and copies of them that are shifted, with a tenth of all blocks of 8 x 8 of other classes."""
    random = np.random.default_rng(3)
    names = sorted(os.listdir(os.path.join(camvid, "testannot")))
    for name in ("truth", "found"):
        os.makedirs(os.path.join(folder, name), exist_ok=True)
    for image in range(int(images)):
        label = np.array(Image.open(os.path.join(camvid, "testannot", names[image % len(names)])))
        label = np.roll(label, 5 * (image // len(names)), 1)
        found = np.roll(label, (3, 4), (0, 1))
        blocks = [-(-side // 8) for side in label.shape]
        other = np.where(random.random(blocks) < 0.1, random.integers(0, 11, blocks), -1).repeat(8, 0).repeat(8, 1)
        other = other[:label.shape[0], :label.shape[1]]
        found[other >= 0] = other[other >= 0]
        found[found > 10] = 0
        Image.fromarray(label).save(os.path.join(folder, "truth", f"{image}.png"), compress_level=1)
        Image.fromarray(found).save(os.path.join(folder, "found", f"{image}.png"), compress_level=1)


if __name__ == "__main__":
    {one.__name__: one for one in (miou, pq_count, pq_files, make_panoptic, make_label_maps)}[sys.argv[1]](*sys.argv[2:])
