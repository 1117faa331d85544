"""Expected values of the Hausdorff loss by MONAI's HausdorffDTLoss, which takes probabilities, where no pixel is ignored;
else by its formula with SciPy's distances.

    python tests/parity/losses/hausdorff.py
"""

import numpy as np
import torch
from monai.losses import HausdorffDTLoss
from scipy.ndimage import distance_transform_edt

from cases import probabilities, target_of, write


def field(inside, counted):
    """Distances to the other side."""
    inside, outside = inside & counted, ~inside & counted
    if not inside.any() or not outside.any():
        return np.zeros(inside.shape)
    return distance_transform_edt(~inside) * outside + distance_transform_edt(~outside) * inside


def fields(values, counted):
    masks, counted = values.detach().numpy() > 0.5, counted.numpy() > 0
    return torch.from_numpy(np.stack([[field(m, k) for m, k in zip(*image)] for image in zip(masks, counted)]))


def hausdorff(logits, labels, options):
    target, counted = target_of(labels, logits)
    p = probabilities(logits, labels, options)
    chosen = [int(name) for name in options.get("include", range(p.shape[1]))]
    p, target, counted = p[:, chosen], target[:, chosen], counted[:, chosen]
    alpha = options.get("alpha", 2)
    weight = (fields(p, counted) ** alpha + fields(target, counted) ** alpha) * counted
    losses = ((p - target) ** 2 * weight).flatten(2).sum(2) / counted.flatten(2).sum(2).clamp_min(1)
    loss = losses.mean()
    if (labels < 0).any():
        return loss
    by_monai = HausdorffDTLoss(alpha=alpha, include_background=True)(p, target)
    assert torch.allclose(by_monai, loss, rtol=5e-7, atol=1e-12), (by_monai, loss, options)  # its distances are float32
    return by_monai


if __name__ == "__main__":
    write(__file__, hausdorff, [{}, {"alpha": 1}, {"activation": "sigmoid", "alpha": 2.5}, {"include": ["1"]}],
          classes=[3, 2, 4, 5, 2, 3, 7])
