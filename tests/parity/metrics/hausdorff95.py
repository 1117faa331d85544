"""Percentiles of surface distances: by scipy in float64, and MONAI's, which are float32, to 1e-4."""
import numpy as np
from monai.metrics import compute_hausdorff_distance

from surface_cases import distances, monai, nanmean, spacing_of, write


def reference(masks, index, options):
    percentile, penalty = options.get("percentile", 95), options.get("penalty", np.inf)
    rows, missed = [], 0
    for of_class in masks:
        found, all_of_class = [], []
        for t, p in of_class:
            if not (t.any() and p.any()):
                all_of_class.append(penalty)
                continue
            a, b = distances(t, p, spacing_of(index))
            larger = max(np.percentile(a, percentile), np.percentile(b, percentile))
            theirs = monai(compute_hausdorff_distance, t, p, index, percentile=percentile)
            assert abs(theirs - larger) <= 1e-4 * max(1, larger), (index, theirs, larger)
            pooled = options.get("convention") == "medpy"
            found.append(np.percentile(np.concatenate([a, b]), percentile) if pooled else larger)
            all_of_class.append(found[-1])
        mean = lambda values: float(np.mean(values)) if values else float("nan")
        lost = len(all_of_class) - len(found)
        rows.append([mean(all_of_class), mean(found), len(all_of_class), lost])
        missed += lost
    return [nanmean([r[0] for r in rows]), nanmean([r[1] for r in rows]), missed], rows


write(__file__, reference, [{}, {"convention": "medpy"}, {"percentile": 100, "penalty": 50.5}, {"percentile": 72.5},
                            {"convention": "medpy", "percentile": 50, "penalty": 0}])
