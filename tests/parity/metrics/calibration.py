"""Calibration errors by the formula of Guo et al. 2017 in float64; torchmetrics' agree to their float32."""
import numpy as np
import torch
from torchmetrics.functional.classification import binary_calibration_error, multiclass_calibration_error

from counting_cases import CLASSES, IGNORE, images, write


def errors(confidence, right, bins):
    """ECE, MCE, mean confidence, accuracy, pixels, and a row per bin."""
    place = np.clip(np.ceil(confidence * bins).astype(np.int64) - 1, 0, bins - 1)
    rows, ece, mce = [], 0.0, 0.0
    for b in range(bins):
        c, r = confidence[place == b], right[place == b]
        rows.append([c.mean(), r.mean(), len(c)] if len(c) else [np.nan, np.nan, 0])
        if len(c):
            gap = abs(r.mean() - c.mean())
            ece, mce = ece + len(c) / len(confidence) * gap, max(mce, gap)
    if len(confidence) == 0:
        return [np.nan] * 4 + [0], rows
    return [ece, mce, confidence.mean(), right.mean(), len(confidence)], rows


def check(peer, own, index):
    """torchmetrics computes in float32, and MCE over float32 boundaries."""
    assert abs(peer - own) < 2e-6, (index, peer, own)


def reference(index, per_class, options):
    bins, classes = options.get("bins", 15), CLASSES[index % len(CLASSES)]
    every = images(index, per_class)
    if per_class:
        rows, confidences, rights = [], [], []
        for c in range(classes):
            truth = np.concatenate([one[0][c].ravel() for one in every])
            scores = np.concatenate([one[2][c].ravel() for one in every])
            confidences.append(scores[truth != IGNORE].astype(np.float64))
            rights.append((truth[truth != IGNORE] == 1).astype(np.float64))
            rows.append(errors(confidences[c], rights[c], bins)[0])
            if len(confidences[c]):
                p, t = torch.from_numpy(scores[truth != IGNORE]), torch.from_numpy(truth[truth != IGNORE])
                check(binary_calibration_error(p, t, bins, "l1").item(), rows[c][0], index)
                check(binary_calibration_error(p, t, bins, "max").item(), rows[c][1], index)
        total, table = errors(np.concatenate(confidences), np.concatenate(rights), bins)
        with_pixels = [row for row in rows if row[4] > 0]
        if with_pixels:
            total[0], total[1] = np.mean([row[0] for row in with_pixels]), max(row[1] for row in with_pixels)
        return total[:4], rows, [table]
    truth = np.concatenate([one[0].ravel() for one in every])
    scores = np.concatenate([one[2].reshape(classes, -1) for one in every], 1)[:, truth != IGNORE]
    truth = truth[truth != IGNORE]
    top = scores.argmax(0)
    confidence, right = scores.max(0).astype(np.float64), (top == truth).astype(np.float64)
    total, table = errors(confidence, right, bins)
    rows = [errors(confidence[top == c], right[top == c], bins)[0] for c in range(classes)]
    if classes > 1 and len(truth):
        p, t = torch.from_numpy(scores.T.copy()), torch.from_numpy(truth)
        check(multiclass_calibration_error(p, t, classes, bins, "l1").item(), total[0], index)
        check(multiclass_calibration_error(p, t, classes, bins, "max").item(), total[1], index)
    return total[:4], rows, [table]


write(__file__, reference, [{}, {"bins": 10}, {"bins": 1}])
