"""Expected values of iou and pixel_accuracy, by torchmetrics, of label maps made by formula.py. Writes metrics.json."""
import json
import pathlib
import warnings

import numpy as np
import torch
from torchmetrics.classification import (MulticlassAccuracy, MulticlassConfusionMatrix, MulticlassJaccardIndex,
                                         MulticlassPrecision, MultilabelAccuracy, MultilabelJaccardIndex,
                                         MultilabelPrecision, MultilabelRecall)

from formula import uniform

IGNORE = -1
warnings.filterwarnings("ignore")


def picture(seed, index, pixels, classes, present):
    """Truth and prediction; three numbers per pixel: ignored or not, the class, whether and how it is mistaken."""
    u = uniform((seed, index), 3 * pixels).reshape(pixels, 3)
    truth = np.array(present)[(u[:, 1] * len(present)).astype(np.int64)]
    prediction = np.where(u[:, 2] < 0.3, (u[:, 2] / 0.3 * classes).astype(np.int64), truth)
    truth = np.where(u[:, 0] < 0.2, IGNORE, truth)
    return torch.from_numpy(truth), torch.from_numpy(prediction)


def picture_per_class(seed, index, pixels, classes):
    u = uniform((seed, index), 2 * pixels * classes).reshape(classes, pixels, 2)
    truth = np.where(u[..., 0] < 0.2, IGNORE, (u[..., 0] < 0.5).astype(np.int64))
    return torch.from_numpy(truth), torch.from_numpy((u[..., 1] < 0.4).astype(np.int64))


def exclusive(seed, sizes, classes, present):
    pairs = [picture(seed, i, h * w, classes, present) for i, (h, w) in enumerate(sizes)]
    truth, prediction = (torch.cat([pair[k] for pair in pairs]) for k in (0, 1))
    arguments = dict(num_classes=classes, ignore_index=IGNORE)
    run = lambda metric: metric(prediction, truth)
    confusion = run(MulticlassConfusionMatrix(**arguments)).double()
    occurs = (confusion.sum(0) + confusion.sum(1)) > 0
    iou = run(MulticlassJaccardIndex(average="none", **arguments)).double()
    recall = run(MulticlassAccuracy(average="none", **arguments)).double()
    precision = run(MulticlassPrecision(average="none", **arguments)).double()
    wanted, predicted = confusion.sum(1), confusion.sum(0)
    return dict(miou=run(MulticlassJaccardIndex(average="macro", **arguments)).item(),
                pixel_accuracy=run(MulticlassAccuracy(average="micro", **arguments)).item(),
                mean_accuracy=recall[wanted > 0].mean().item(),
                per_class=[[iou[c].item() if occurs[c] else None, recall[c].item() if wanted[c] else None,
                            precision[c].item() if predicted[c] else None, wanted[c].item()] for c in range(classes)])


def overlapping(seed, sizes, classes):
    pairs = [picture_per_class(seed, i, h * w, classes) for i, (h, w) in enumerate(sizes)]
    truth, prediction = (torch.cat([pair[k] for pair in pairs], 1).T for k in (0, 1))
    arguments = dict(num_labels=classes, ignore_index=IGNORE, average="none")
    run = lambda metric: metric(prediction, truth).double()
    iou, recall, precision = (run(kind(**arguments)) for kind in
                              (MultilabelJaccardIndex, MultilabelRecall, MultilabelPrecision))
    micro = MultilabelAccuracy(num_labels=classes, ignore_index=IGNORE, average="micro")
    return dict(miou=iou.mean().item(), pixel_accuracy=micro(prediction, truth).item(),
                mean_accuracy=recall.mean().item(),
                per_class=[[iou[c].item(), recall[c].item(), precision[c].item(), (truth[:, c] == 1).sum().item()]
                           for c in range(classes)])


def main():
    made = []
    for seed, (classes, present) in enumerate([(5, [0, 1, 2, 3, 4]), (12, [0, 2, 3, 11]), (2, [1])], start=1):
        sizes = [[7, 9], [1, 1], [32, 17]]
        made.append(dict(seed=seed, classes=classes, present=present, sizes=sizes, overlapping=False,
                         **exclusive(seed, sizes, classes, present)))
    for seed, classes in enumerate([3, 2], start=11):
        sizes = [[6, 5], [20, 31]]
        made.append(dict(seed=seed, classes=classes, sizes=sizes, overlapping=True, **overlapping(seed, sizes, classes)))
    text = "[\n" + ",\n".join(json.dumps(case) for case in made) + "\n]\n"
    pathlib.Path(__file__).with_suffix(".json").write_text(text)


main()
