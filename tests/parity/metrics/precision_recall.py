"""Precision, recall and F-beta: mmsegmentation's IoUMetric (in float32) where classes do not overlap, and its rule.

Needs mmsegmentation 1.2.2 in PYTHONPATH.
"""
import numpy as np
import torch
from mmseg.evaluation import IoUMetric

from counting_cases import confusion, divide, nanmean, write


def reference(index, per_class, options):
    beta = options.get("beta", 1)
    counts, matrix = confusion(index, per_class)
    tp, fp, fn, _ = counts.T
    precision, recall = divide(tp, tp + fp), divide(tp, tp + fn)
    score = divide((1 + beta**2) * precision * recall, beta**2 * precision + recall)
    if not per_class and matrix.sum():
        area = [torch.from_numpy(x).float() for x in (tp, tp + fp + fn, tp + fp, tp + fn)]
        peer = IoUMetric.total_area_to_metrics(*area, ["mFscore"], None, beta)
        for name, own in (("Fscore", score), ("Precision", precision), ("Recall", recall)):
            assert np.allclose(peer[name], own, rtol=1e-5, atol=1e-6, equal_nan=True), (index, name)
    rows = np.stack([score, precision, recall, tp + fn, tp + fp], 1)
    return [nanmean(score), nanmean(precision), nanmean(recall)], rows, []


write(__file__, reference, [{}, {"beta": 2}, {"beta": 0.5}])
