"""Normalized surface Dice: by scipy in float64, and MONAI's without subvoxels, to 1e-4."""
import numpy as np
from monai.metrics import compute_surface_dice

from surface_cases import distances, monai, nanmean, spacing_of, write


def reference(masks, index, options):
    tolerance = options.get("tolerance", 1)
    rows = []
    for of_class in masks:
        values = []
        for t, p in of_class:
            if not (t.any() and p.any()):
                values.append(0.0)
                continue
            a, b = distances(t, p, spacing_of(index))
            right = np.sum(a <= tolerance * (1 + 1e-12)) + np.sum(b <= tolerance * (1 + 1e-12))
            values.append(right / (len(a) + len(b)))
            # A little above: MONAI's distances are rounded to float32.
            theirs = monai(compute_surface_dice, t, p, index, class_thresholds=[tolerance * (1 + 1e-6)])
            assert abs(theirs - values[-1]) <= 1e-4, (index, theirs, values[-1])
        rows.append([float(np.mean(values)) if values else float("nan"), len(values)])
    return [nanmean([r[0] for r in rows])], rows


write(__file__, reference, [{}, {"tolerance": 2.1}, {"tolerance": 0}, {"tolerance": 3}])
