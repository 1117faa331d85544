"""Expected values of the boundary loss, by the formula of Kervadec et al. 2019 with SciPy's distances: those of the
authors' one_hot2dist, of each class that an image has: to the class outside of it, -(d - 1) inside.

    python tests/parity/losses/boundary.py
"""

import numpy as np
import torch
from scipy.ndimage import distance_transform_edt

from cases import probabilities, target_of, write


def signed_distance(inside, counted):
    inside, outside = inside & counted, ~inside & counted
    if not inside.any() or not outside.any():
        return np.zeros(inside.shape)
    to_inside, to_outside = distance_transform_edt(~inside), distance_transform_edt(~outside)
    return to_inside * outside - (to_outside - 1) * inside


def boundary(logits, labels, options):
    target, counted = target_of(labels, logits)
    p = probabilities(logits, labels, options)
    chosen = [int(name) for name in options.get("include", range(p.shape[1]))]
    distances = np.stack([[signed_distance(t[c], k[c]) for c in chosen]
                          for t, k in zip(target.numpy() > 0.5, counted.numpy() > 0)])
    total = counted[:, chosen].sum()
    return (p[:, chosen] * torch.from_numpy(distances) * counted[:, chosen]).sum() / total.clamp_min(1)


if __name__ == "__main__":
    write(__file__, boundary, [{}, {"activation": "sigmoid"}, {"include": ["1"]}], classes=[3, 2, 4, 5, 2, 3, 7])
