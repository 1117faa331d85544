"""Pixels, objects and segments of real Cityscapes files, read with Pillow: expected.json, which cityscapes_test.cpp
compares with.

Run: SECTILE_DATA=<folder with cityscapes-mini, cityscapes-frame, format-fixtures/cityscapes_dataset> python expected.py > expected.json

The classes are those of torchvision.datasets.Cityscapes, and segments follow the rules of createPanopticImgs.py of
https://github.com/mcordts/cityscapesScripts.
"""
import json
import os
import pathlib

import numpy as np
from PIL import Image
from torchvision.datasets import Cityscapes

data = pathlib.Path(os.environ["SECTILE_DATA"])
labels = {one.id: one for one in Cityscapes.classes if one.id >= 0}
train = sorted((one for one in labels.values() if one.train_id < 255), key=lambda one: one.train_id)


def objects(ids):
    """Per segment: id, train id, crowd, pixels, and box as x, y, width, height."""
    found = []
    for value in np.unique(ids):
        label = labels.get(int(value if value < 1000 else value // 1000))
        if label is None or label.ignore_in_eval:
            continue
        y, x = np.nonzero(ids == value)
        crowd = bool(value < 1000 and label.has_instances)
        found.append([int(v) for v in (value, label.train_id, crowd, len(x), x.min(), y.min(),
                                       x.max() - x.min() + 1, y.max() - y.min() + 1)])
    return found


root = data / "cityscapes-mini/gtFine/val/frankfurt"
name = "frankfurt_000000_000294"
read = lambda kind: np.asarray(Image.open(root / f"{name}_gtFine_{kind}.png"))
ids, train_ids = read("labelIds"), read("labelTrainIds")
by_ids = np.bincount(ids.ravel(), minlength=256)
assert by_ids[34:].sum() == 0
by_train = [int(sum(by_ids[one.id] for one in train if one.train_id == i)) for i in range(19)]
# Both files were made smaller on their own: some pixels at borders differ.
by_train_file = np.bincount(train_ids.ravel(), minlength=256)[:19].tolist()
image = np.asarray(Image.open(data / f"cityscapes-mini/leftImg8bit/val/frankfurt/{name}_leftImg8bit.png"))
color = np.asarray(Image.open(data / "cityscapes-frame/frankfurt_000001_058914_gtFine_color.png").convert("RGB"))
values, counts = np.unique(color.reshape(-1, 3), axis=0, return_counts=True)

fixtures = {}
for tree in ("dataset", "train_dataset"):
    for file in sorted((data / "format-fixtures/cityscapes_dataset" / tree / "gtFine").rglob("*instanceIds.png")):
        numbers = np.asarray(Image.open(file)).astype(int)
        assert numbers.shape == (1, 5)
        one = {"instance_ids": numbers[0].tolist(), "segments": objects(numbers)}
        train_file = file.with_name(file.name.replace("instanceIds", "labelTrainIds"))
        if train_file.exists():
            one["train_ids"] = np.asarray(Image.open(train_file))[0].tolist()
        label_ids = np.where(numbers < 1000, numbers, numbers // 1000)[0].tolist()
        one["pixels"] = {
            "all": [label_ids.count(i) for i in range(34)],
            "train_ids": [one["train_ids"].count(i) if train_file.exists() else label_ids.count(label.id)
                          for i, label in enumerate(train)],
        }
        fixtures[f"{tree}/{file.parts[-3]}/{file.name[:-len('_gtFine_instanceIds.png')]}"] = one

print(json.dumps({
    "names": {"train_ids": [one.name for one in train], "all": [labels[i].name for i in range(34)]},
    "colors": {"train_ids": [one.color for one in train], "all": [labels[i].color for i in range(34)]},
    "things": {"train_ids": [one.has_instances for one in train], "all": [labels[i].has_instances for i in range(34)]},
    "ids": [one.id for one in train],
    "pixels": {"train_ids": by_train, "train_ids_file": by_train_file, "all": by_ids[:34].tolist()},
    "mean": image.reshape(-1, 3).mean(0).round(4).tolist(),
    "segments": objects(read("instanceIds")),
    "frame_colors": [[*map(int, value), int(count)] for value, count in zip(values, counts)],
    "fixtures": fixtures,
}))
