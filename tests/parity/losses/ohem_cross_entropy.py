"""Expected values of cross entropy with online hard example mining, by its rule; compared with mmsegmentation 1.2.2's
OhemCrossEntropy and OHEMPixelSampler where these keep min_kept pixels.

    python tests/parity/losses/ohem_cross_entropy.py
"""

from types import SimpleNamespace

import torch
import torch.nn.functional as F

from cases import IGNORE, write

import mmseg_operators  # noqa: F401  (beside formula.py, which cases.py has found)
from mmseg.models.losses import OhemCrossEntropy
from mmseg.structures import OHEMPixelSampler

CLASSES = [3, 2, 4, 5, 1, 3, 7]
VARIANTS = [
    {"threshold": 0.2, "min_kept": 5},
    {"threshold": 0.3, "min_kept": 3, "class_weights": [1.5, 0.25]},
    {},
    {"threshold": 0.7, "min_kept": 2},
    {"threshold": 0, "min_kept": 7},
    {"threshold": 0, "min_kept": 12, "class_weights": [1, 0, 3]},
    {"threshold": 1, "min_kept": 1},
]
compared = {"loss": 0, "sampler": 0}


def reference(logits, labels, options):
    threshold, min_kept = options.get("threshold", 0.7), options.get("min_kept", 100000)
    weights = torch.tensor(options.get("class_weights", [1.0] * logits.shape[1]), dtype=torch.float64)
    losses = F.cross_entropy(logits, labels, weights, ignore_index=IGNORE, reduction="none")
    counted = labels >= 0
    if not counted.any():
        return logits.sum() * 0
    probability = logits.detach().softmax(1).gather(1, labels.clamp_min(0).unsqueeze(1)).squeeze(1)[counted]
    rank = probability.argsort().argsort()
    kept = (probability < threshold) | (rank < min_kept)
    loss = losses[counted][kept].mean()

    # Of one class, all probabilities are 1, and which pixels are kept is arbitrary.
    if logits.shape[1] > 1 and (len(probability) > min_kept or (probability < threshold).all()):
        by_mmseg = OhemCrossEntropy(IGNORE, threshold, min_kept, class_weight=options.get("class_weights"))
        assert torch.allclose(by_mmseg(logits, labels), loss, rtol=1e-9, atol=0), (by_mmseg(logits, labels), loss)
        compared["loss"] += 1
    # The sampler keeps min_kept per image of the batch, and takes nothing but maps.
    if logits.shape[0] == 1 and min_kept > 1 and logits.shape[1] > 1 and len(probability) > min_kept:
        sampler = OHEMPixelSampler(SimpleNamespace(ignore_index=IGNORE), threshold, min_kept)
        flat = logits.detach().flatten(2).unsqueeze(3), labels.flatten(1).unsqueeze(2).unsqueeze(1)
        sampled = sampler.sample(*flat).view_as(labels)
        assert torch.allclose((losses * sampled).sum() / sampled.sum(), loss, rtol=1e-9, atol=0)
        compared["sampler"] += 1
    return loss


if __name__ == "__main__":
    write(__file__, reference, VARIANTS, kinds=["numbers"], classes=CLASSES)
    print("compared with mmsegmentation:", compared)
    assert min(compared.values()) > 20
