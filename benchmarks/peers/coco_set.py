"""Writes a set of COCO objects and scored detections, the same one each time: wobbly ellipses of 80 classes, about
seven objects and thirty detections per image of 640x480.

coco_set.py FOLDER IMAGES [polygons]   ->  FOLDER/truth.json, FOLDER/results.json; polygons: truth.json of polygons only
"""
import json
import os
import sys

import numpy as np
from pycocotools import mask as masks

HEIGHT, WIDTH, CLASSES, CORNERS = 480, 640, 80, 48
random = np.random.default_rng(20240817)


def outline(shape):
    angle = np.linspace(0, 2 * np.pi, CORNERS, endpoint=False)
    radius = 1 + sum(weight * np.cos((i + 2) * angle + phase) for i, (weight, phase) in enumerate(shape["waves"]))
    x, y = shape["rx"] * radius * np.cos(angle), shape["ry"] * radius * np.sin(angle)
    cos, sin = np.cos(shape["turn"]), np.sin(shape["turn"])
    return np.stack([np.clip(shape["x"] + cos * x - sin * y, 0, WIDTH), np.clip(shape["y"] + sin * x + cos * y, 0, HEIGHT)], 1).ravel().tolist()


def described(shape):
    """Mask, area and box as COCO's files hold them; None for a shape beyond the image."""
    ring = outline(shape)
    rle = masks.merge(masks.frPyObjects([ring], HEIGHT, WIDTH))
    area = float(masks.area(rle))
    if area == 0:
        return None
    return {"segmentation": {"size": [HEIGHT, WIDTH], "counts": rle["counts"].decode()}, "area": area, "bbox": masks.toBbox(rle).tolist()}, ring


def waves(most, falls):
    return [(random.uniform(0, most / (i + 1) if falls else most), random.uniform(0, 6.28)) for i in range(4)]


def some_object():
    size = np.exp(random.normal(3.6, 0.9))
    # The order of these numbers is the set's.
    x, y = random.uniform(0, WIDTH), random.uniform(0, HEIGHT)
    rx, ry = size * random.uniform(0.6, 1.4), size * random.uniform(0.6, 1.4)
    turn = random.uniform(0, np.pi)
    return size, {"x": x, "y": y, "rx": rx, "ry": ry, "turn": turn, "waves": waves(0.25, falls=True)}


def detection_near(size, shape, is_first):
    spread = (0.03 if is_first else 0.15) * size
    x, y = shape["x"] + random.normal(0, spread), shape["y"] + random.normal(0, spread)
    rx, ry = shape["rx"] * np.exp(random.normal(0, 0.1)), shape["ry"] * np.exp(random.normal(0, 0.1))
    return {"x": x, "y": y, "rx": rx, "ry": ry, "turn": shape["turn"],
            "waves": [(weight * random.uniform(0.7, 1.3), phase + random.normal(0, 0.2)) for weight, phase in shape["waves"]]}


def background():
    size = np.exp(random.normal(3.6, 0.9))
    x, y = random.uniform(0, WIDTH), random.uniform(0, HEIGHT)
    ry, turn = size * random.uniform(0.5, 1.5), random.uniform(0, np.pi)
    return {"x": x, "y": y, "rx": size, "ry": ry, "turn": turn, "waves": waves(0.15, falls=False)}


def main(folder, count, polygons):
    images, objects, results = [], [], []
    shares = 1 / (np.arange(CLASSES) + 3.0)
    shares /= shares.sum()

    def add_result(image, category, score, mask):
        results.append({"image_id": image, "category_id": category, "score": score, "segmentation": mask["segmentation"], "bbox": mask["bbox"]})

    for image in range(1, count + 1):
        images.append({"id": image, "width": WIDTH, "height": HEIGHT, "file_name": f"{image:06d}.jpg"})
        categories = random.choice(CLASSES, size=random.integers(1, 6), replace=False, p=shares) + 1
        for _ in range(min(40, 1 + random.poisson(3) + random.poisson(3))):
            size, shape = some_object()
            made = described(shape)
            if made is None:
                continue
            category = int(random.choice(categories))
            mask, ring = made
            one = {"id": len(objects) + 1, "image_id": image, "category_id": category, "iscrowd": int(random.random() < 0.01), **mask}
            objects.append({**one, "segmentation": [[round(value, 2) for value in ring]]} if polygons else one)
            for n in range(1 + random.poisson(2.2)):
                made = described(detection_near(size, shape, n == 0))
                if made is None:
                    continue
                found = category if random.random() < 0.85 else int(random.integers(1, CLASSES + 1))
                add_result(image, found, round(float(random.beta(4, 2) if n == 0 else random.beta(1.5, 4)), 5), made[0])
        for _ in range(random.poisson(8)):
            made = described(background())
            if made is not None:
                add_result(image, int(random.choice(categories)), round(float(random.beta(1.2, 5)), 5), made[0])
    os.makedirs(folder, exist_ok=True)
    truth = {"images": images, "annotations": objects, "categories": [{"id": i, "name": f"c{i}"} for i in range(1, CLASSES + 1)]}
    for name, content in (("truth", truth), ("results", results))[:1 if polygons else 2]:
        with open(os.path.join(folder, name + ".json"), "w") as file:
            json.dump(content, file, separators=(",", ":"))


main(sys.argv[1], int(sys.argv[2]), "polygons" in sys.argv[3:])
