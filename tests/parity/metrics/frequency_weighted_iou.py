"""Frequency weighted IoU: the formula of the FCN paper; torchmetrics' weighted Jaccard index agrees to its float32."""
import numpy as np
import torch
from torchmetrics.functional.classification import multiclass_jaccard_index

from counting_cases import CLASSES, IGNORE, confusion, divide, images, write


def reference(index, per_class, options):
    counts, _ = confusion(index, per_class)
    tp, fp, fn, _ = counts.T
    truth, iou = tp + fn, divide(tp, tp + fp + fn)
    share = divide(truth, truth.sum())
    value = sum(share[c] * iou[c] for c in range(len(iou)) if truth[c] > 0) if truth.sum() else np.nan
    classes = CLASSES[index % len(CLASSES)]
    if not per_class and classes > 1 and truth.sum():
        t, p = (torch.from_numpy(np.concatenate([one[k].ravel() for one in images(index, False)])) for k in (0, 1))
        peer = multiclass_jaccard_index(p, t, classes, average="weighted", ignore_index=IGNORE).item()
        assert abs(peer - value) < 1e-6, (index, peer, value)
    return [value], np.stack([iou, share, truth], 1), []


write(__file__, reference, [{}])
