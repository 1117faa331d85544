"""Expected values of iou and dice by the rules of seven packages, on 200 random sets of images per preset.

Each rule is recomputed in float64 from the package's source or documentation, and, where the package is installed
(mmsegmentation, segmentation_models_pytorch, MONAI), compared with what the package itself says, to 1e-6: it counts in
float32. Images are made by formula.py and by region_presets.h alike, so that only results are stored.
"""
import json
import pathlib
import sys
import warnings

import numpy as np
import segmentation_models_pytorch as smp
import torch
from mmseg.evaluation.metrics import IoUMetric
from monai.metrics import DiceMetric, MeanIoU

sys.path.insert(0, str(pathlib.Path(__file__).parent.parent))
from formula import uniform  # noqa: E402

warnings.filterwarnings("ignore")
np.seterr(all="ignore")
CASES, IGNORE, NAN = 200, -1, float("nan")
SIZES = [[5, 7], [3, 3], [3, 4, 5], [1, 1], [12, 17], [6, 9], [2, 5, 3], [1, 6], [16, 8], [7, 3]]
CLASSES = [3, 2, 4, 5, 1, 3, 7]
PRESETS = [{"preset": name} for name in ("mmseg", "detectron2", "torchvision", "paddleseg", "smp", "nnunet", "monai")]
PRESETS += [{"preset": "smp", "reduction": name} for name in ("macro", "micro-imagewise", "macro-imagewise")]
PRESETS += [{"preset": "monai", "absent": "one", "false_alarm": "zero"}]
OTHERS = [{"over": "image"}, {"over": "image", "average_first": "classes"}, {"over": "image", "mean": "truth"},
          {"over": "image", "average_first": "classes", "absent": "nan", "nothing": "zero"},
          {"mean": "truth", "nothing": "zero"}, {"absent": "one", "false_alarm": "skip"},
          {"preset": "detectron2", "mean": "all", "absent": "one"}, {"preset": "nnunet", "include_background": True},
          {"exclude": ["0"]}, {"reduction": "micro", "absent": "zero"}, {"preset": "smp", "over": "image"},
          {"reduction": "micro-imagewise", "false_alarm": "skip"}, {"preset": "monai", "exclude": ["0"]},
          {"preset": "smp", "reduction": "micro", "exclude": ["0"]}, {"preset": "monai", "average_first": "images"}]


def is_overlapping(index):
    return index % 5 >= 3 or CLASSES[index % 7] == 1


def image(index, number):
    """Truth and prediction. Classes are absent from one or both in some images; some images are ignored as a whole."""
    classes, size = CLASSES[index % 7], SIZES[(index + 3 * number) % 10]
    pixels = int(np.prod(size))
    share = 1.1 if (index + number) % 13 == 5 else 0.2 if index % 3 else 0.0
    occurs = [(index + number + c) % 3 != 0 for c in range(classes)]
    is_found = np.array([(index + 2 * number + c) % 4 != 0 for c in range(classes)])
    if is_overlapping(index):
        truth, prediction = [], []
        for c in range(classes):
            u = uniform((index, number, 10 + c), 4 * pixels).reshape(pixels, 4)
            wanted = (u[:, 1] < 0.4) & occurs[c]
            prediction.append(np.where((u[:, 2] < 0.3) & is_found[c], u[:, 3] < 0.5, wanted).astype(np.int64))
            truth.append(np.where(u[:, 0] < share, IGNORE, wanted))
        return np.stack(truth).reshape(classes, *size), np.stack(prediction).reshape(classes, *size)
    present = np.array([c for c in range(classes) if occurs[c]] or [classes - 1])
    u = uniform((index, number, 1), 4 * pixels).reshape(pixels, 4)
    wanted, other = present[(u[:, 1] * len(present)).astype(np.int64)], (u[:, 3] * classes).astype(np.int64)
    prediction = np.where((u[:, 2] < 0.3) & is_found[other], other, wanted)
    return np.where(u[:, 0] < share, IGNORE, wanted).reshape(size), prediction.reshape(size)


def one_hot(truth, prediction, index):
    """bool [classes, pixels] of truth and prediction; ignored pixels are in neither."""
    classes = CLASSES[index % 7]
    if is_overlapping(index):
        t, p = truth.reshape(classes, -1), prediction.reshape(classes, -1)
        return t == 1, (p == 1) & (t != IGNORE)
    numbers = np.arange(classes)[:, None]
    t, p = truth.reshape(1, -1), prediction.reshape(1, -1)
    return t == numbers, (p == numbers) & (t != IGNORE)


def score(kind, tp, fp, fn):
    tp, fp, fn = (np.asarray(x, np.float64) for x in (tp, fp, fn))
    return tp / (tp + fp + fn) if kind == "iou" else 2 * tp / (2 * tp + fp + fn)


def nanmean(values, axis=None):
    values = np.asarray(values, np.float64)
    number = np.sum(~np.isnan(values), axis)
    return np.where(number > 0, np.nansum(values, axis) / number, NAN)


class Case:
    """tp, fp, fn: int64 [images, classes]."""

    def __init__(self, index):
        self.index = index
        self.images = [image(index, number) for number in range(1 + index % 4)]
        self.hot = [one_hot(*pair, index) for pair in self.images]
        count = lambda use: np.array([use(t, p).sum(1) for t, p in self.hot])
        self.tp, self.fp, self.fn = count(lambda t, p: t & p), count(lambda t, p: ~t & p), count(lambda t, p: t & ~p)
        self.overlapping = is_overlapping(index)


# The packages' own rules: each gives the main value, and the values per class.
def mmseg(case, kind, _):
    values = score(kind, case.tp.sum(0), case.fp.sum(0), case.fn.sum(0))
    if not case.overlapping:
        areas = [IoUMetric.intersect_and_union(torch.from_numpy(p).reshape(1, -1), torch.from_numpy(t).reshape(1, -1),
                                               len(values), IGNORE) for t, p in case.images]
        name, key = ("mIoU", "IoU") if kind == "iou" else ("mDice", "Dice")
        theirs = IoUMetric.total_area_to_metrics(*(sum(area) for area in zip(*areas)), metrics=[name])[key]
        agree(theirs, values)
        agree(np.nanmean(theirs), nanmean(values))
    return nanmean(values), values


def detectron2(case, kind, _):
    tp, predicted, true = case.tp.sum(0), (case.tp + case.fp).sum(0), (case.tp + case.fn).sum(0)
    values, is_valid = np.full(len(tp), NAN), (true > 0) & (true + predicted - tp > 0)
    below = true + predicted - tp if kind == "iou" else (true + predicted) / 2
    values[is_valid] = tp[is_valid] / below[is_valid]
    return np.sum(values[is_valid]) / np.sum(is_valid), values


def torchvision(case, kind, _):
    values = score(kind, case.tp.sum(0), case.fp.sum(0), case.fn.sum(0))
    return np.mean(values), values


def paddleseg(case, kind, _):
    intersect, predicted, label = case.tp.sum(0), (case.tp + case.fp).sum(0), (case.tp + case.fn).sum(0)
    values = []
    for i, p, t in zip(intersect, predicted, label):
        below = p + t - i if kind == "iou" else p + t
        values.append(0.0 if below == 0 else (i if kind == "iou" else 2 * i) / below)
    return np.mean(values), values


def smp_rule(case, kind, options):
    reduction = options.get("reduction", "micro")
    filled = lambda values: np.where(np.isnan(values), 1.0, values)
    counts = case.tp, case.fp, case.fn
    if reduction == "micro":
        main = score(kind, *(x.sum() for x in counts))
        values = score(kind, *(x.sum(0) for x in counts))
    elif reduction == "macro":
        values = filled(score(kind, *(x.sum(0) for x in counts)))
        main = values.mean()
    elif reduction == "micro-imagewise":
        main, values = filled(score(kind, *(x.sum(1) for x in counts))).mean(), filled(score(kind, *counts)).mean(0)
    else:
        values = filled(score(kind, *counts)).mean(0)
        main = values.mean()
    stats = []
    for (truth, prediction), (t, p) in zip(case.images, case.hot):
        if case.overlapping:  # its ignore_index is for class numbers
            stats.append(smp.metrics.get_stats(torch.from_numpy(p)[None].long(), torch.from_numpy(t)[None].long(),
                                               mode="multilabel"))
        else:
            stats.append(smp.metrics.get_stats(torch.from_numpy(prediction)[None], torch.from_numpy(truth)[None],
                                               mode="multiclass", ignore_index=IGNORE, num_classes=len(values)))
    metric = smp.metrics.iou_score if kind == "iou" else smp.metrics.f1_score
    agree(metric(*(torch.cat(x) for x in zip(*stats)), reduction=reduction), main)
    return main, values


def nnunet(case, kind, _):
    values = nanmean(score(kind, case.tp, case.fp, case.fn), 0)  # 0 / 0 is NaN
    return np.mean(values if case.overlapping else values[1:]), values


def monai(case, kind, options):
    values = score(kind, case.tp, case.fp, case.fn)
    ignore_empty = "absent" not in options
    if ignore_empty:
        values = np.where(case.tp + case.fn > 0, values, NAN)
    else:
        values = np.where(np.isnan(values), 1, values)
    of_images = nanmean(values, 1)
    main = 0.0 if np.all(np.isnan(of_images)) else nanmean(of_images)
    metric = (MeanIoU if kind == "iou" else DiceMetric)(include_background=True, ignore_empty=ignore_empty)
    for t, p in case.hot:
        metric(torch.from_numpy(p)[None, :, None].float(), torch.from_numpy(t)[None, :, None].float())
    agree(metric.aggregate().item(), main)
    return main, nanmean(values, 0)


def agree(theirs, ours):
    global compared
    compared += 1
    np.testing.assert_allclose(np.asarray(theirs, np.float64), np.asarray(ours, np.float64), rtol=1e-6, atol=1e-6)


def by_options(case, kind, options):
    """Options in general, for those that are no package's."""
    preset = options.get("preset", "mmseg")
    rules = dict(over="set", absent="skip", false_alarm="zero", mean="all", average_first="images", nothing="nan")
    rules |= {"mmseg": {}, "detectron2": dict(false_alarm="skip", mean="truth"), "smp": dict(absent="one"),
              "nnunet": dict(over="image", absent="nan"),
              "monai": dict(over="image", false_alarm="skip", average_first="classes", nothing="zero")}[preset]
    reduction = options.get("reduction", "")
    if preset == "smp" and reduction == "micro":
        rules["absent"] = "nan"
    rules |= options
    if reduction:
        rules["over"] = "image" if reduction.endswith("imagewise") else "set"
    keep = [c for c in range(case.tp.shape[1]) if str(c) not in options.get("exclude", [])]

    def values_of(tp, fp, fn):
        values = score(kind, tp, fp, fn)
        values = np.where((tp + fn == 0) & (fp > 0), 0 if rules["false_alarm"] == "zero" else NAN, values)
        values = np.where(tp + fp + fn == 0, {"one": 1, "zero": 0}.get(rules["absent"], NAN), values)
        return np.where(tp + fn == 0, NAN, values) if rules["mean"] == "truth" else values

    counts = [x if rules["over"] == "image" else x.sum(0, keepdims=True) for x in (case.tp, case.fp, case.fn)]
    values = values_of(*counts)
    over_classes = np.mean if rules["absent"] == "nan" else nanmean
    if reduction.startswith("micro"):
        main = nanmean(values_of(*(x[:, keep].sum(1) for x in counts)))
    elif rules["average_first"] == "classes":
        main = nanmean([over_classes(row[keep]) for row in values])
    else:
        main = over_classes(nanmean(values, 0)[keep])
    if np.isnan(main) and rules["nothing"] == "zero" and np.all(np.isnan(values[:, keep])):
        main = 0.0
    return main, nanmean(values, 0)


def stored(main, values):
    values = np.asarray(values, np.float64)
    total = float(np.nansum(values * np.arange(1, len(values) + 1)))
    return [None if np.isnan(main) else float(f"{main:.15g}"), int(np.isnan(values).sum()), float(f"{total:.15g}")]


def main():
    rules = dict(mmseg=mmseg, detectron2=detectron2, torchvision=torchvision, paddleseg=paddleseg, smp=smp_rule,
                 nnunet=nnunet, monai=monai)
    cases = [Case(index) for index in range(CASES)]
    lines = []
    for number, options in enumerate(PRESETS + OTHERS):
        is_preset = number < len(PRESETS)
        rule = rules[options["preset"]] if is_preset else by_options
        chosen = cases if is_preset else cases[:40]
        if "exclude" in options:  # one class alone cannot be left out
            chosen = [case for case in chosen if case.tp.shape[1] > 1]
        for kind in ("iou", "dice"):
            results = [[case.index, *stored(*rule(case, kind, options))] for case in chosen]
            lines.append(json.dumps({"type": kind, "options": options, "results": results}))
    print(compared, "values equal those of an installed package")
    pathlib.Path(__file__).with_suffix(".json").write_text("[\n" + ",\n".join(lines) + "\n]\n")


compared = 0
main()
