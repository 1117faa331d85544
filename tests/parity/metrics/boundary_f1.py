"""Boundary F1 (Csurka et al. 2013), pair of boundary pixels by pair: no distance transform."""
import numpy as np
from scipy.spatial.distance import cdist

from surface_cases import nanmean, surface, write


def reference(masks, index, options):
    rows = []
    for of_class in masks:
        values = []
        for t, p in of_class:
            if not t.any():
                continue
            if not p.any():
                values.append((0.0, 0.0, 0.0))
                continue
            most = options.get("tolerance", 0.0075) * np.sqrt(np.sum(np.square(t.shape)))
            near = cdist(np.argwhere(surface(p)), np.argwhere(surface(t))) <= most * (1 + 1e-12)
            precision, recall = near.any(1).mean(), near.any(0).mean()
            both = precision + recall
            values.append((2 * precision * recall / both if both > 0 else 0.0, precision, recall))
        means = np.mean(values, 0) if values else [float("nan")] * 3
        rows.append([*map(float, means), len(values)])
    return [nanmean([r[k] for r in rows]) for k in range(3)], rows


write(__file__, reference, [{}, {"tolerance": 0.05}, {"tolerance": 0}])
