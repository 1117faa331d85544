"""The confusion matrix, accuracy and kappa in numpy; torchmetrics' agree to their float32."""
import numpy as np
import torch
from torchmetrics.functional.classification import multiclass_cohen_kappa, multiclass_confusion_matrix

from counting_cases import CLASSES, IGNORE, confusion, divide, images, nanmean, write


def normalized(matrix, how):
    if how == "none":
        return matrix.astype(np.float64)
    whole = {"truth": matrix.sum(1, keepdims=True), "prediction": matrix.sum(0, keepdims=True), "all": matrix.sum()}[how]
    return divide(matrix, np.broadcast_to(whole, matrix.shape))


def kappa(matrix):
    if matrix.sum() == 0:
        return np.nan
    shares = matrix / matrix.sum()
    chance = np.sum(shares.sum(0) * shares.sum(1))
    return np.nan if abs(1 - chance) < 1e-12 else (np.trace(shares) - chance) / (1 - chance)


def reference(index, per_class, options):
    how = options.get("normalize", "none")
    counts, matrix = confusion(index, per_class)
    tp, fp, fn, tn = counts.T
    rows = np.stack([tp, tp + fn, tp + fp], 1)
    if per_class:
        each = [np.array([[tp[c], fn[c]], [fp[c], tn[c]]]) for c in range(len(tp))]
        accuracy = divide((tp + tn).sum(), counts.sum())
        return [accuracy, nanmean([kappa(one) for one in each])], rows, [[normalized(one, how).ravel() for one in each]]
    table, classes = normalized(matrix, how), CLASSES[index % len(CLASSES)]
    if classes > 1 and matrix.sum():
        t, p = (torch.from_numpy(np.concatenate([one[k].ravel() for one in images(index, False)])) for k in (0, 1))
        name = {"none": None, "truth": "true", "prediction": "pred", "all": "all"}[how]
        peer = multiclass_confusion_matrix(p, t, classes, normalize=name, ignore_index=IGNORE).double().numpy()
        assert np.allclose(peer, np.nan_to_num(table), atol=1e-6), index
        peer = multiclass_cohen_kappa(p, t, classes, ignore_index=IGNORE).item()
        assert np.isnan(kappa(matrix)) or abs(peer - kappa(matrix)) < 1e-4, (index, peer, kappa(matrix))
    return [divide(np.trace(matrix), matrix.sum()), kappa(matrix)], rows, [table]


write(__file__, reference, [{}, {"normalize": "truth"}, {"normalize": "prediction"}, {"normalize": "all"}])
