"""Expected values of the MCC loss, by segmentation_models_pytorch 0.6.0 for each class, of the pixels that count; it takes
probabilities.

    python tests/parity/losses/mcc.py
"""

import torch
from segmentation_models_pytorch.losses import MCCLoss

from cases import probabilities, target_of, write


def of_pixels(p, y, counted, eps):
    if not counted.any():
        return (p * 0).sum()
    return MCCLoss(eps=eps)(p[counted].view(1, 1, -1, 1), y[counted].view(1, -1, 1))


def mcc(logits, labels, options):
    target, counted = target_of(labels, logits)
    p, y, counted = probabilities(logits, labels, options).flatten(2), target.flatten(2), counted.flatten(2) > 0
    rows = [slice(n, n + 1) for n in range(len(p))] if options.get("over") == "sample" else [slice(None)]
    losses, present = [], []
    for row in rows:
        for c in range(p.shape[1]):
            losses.append(of_pixels(p[row, c], y[row, c], counted[row, c], options.get("eps", 1e-5)))
            present.append(y[row, c].sum() > 0)
    losses, present = torch.stack(losses), torch.stack(present)
    if options.get("absent") == "skip":
        return (losses * present).sum() / present.sum().clamp_min(1)
    return losses.mean()


if __name__ == "__main__":
    write(__file__, mcc, [{}, {"eps": 0.5}, {"over": "sample", "absent": "skip", "eps": 1e-3}], classes=[3, 2, 4, 5, 3, 7])
