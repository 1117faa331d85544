"""Boundary IoU of classes over all images: boundaries by scipy's erosion, d times by 3 x 3 ones."""
import numpy as np
from scipy.ndimage import binary_erosion

from surface_cases import nanmean, write


def band(mask, ratio):
    d = max(1, int(round(ratio * np.sqrt(mask.shape[0] ** 2 + mask.shape[1] ** 2))))
    return mask & ~binary_erosion(mask, np.ones((3, 3)), iterations=d, border_value=0)


def reference(masks, index, options):
    rows = []
    for of_class in masks:
        common = united = 0
        for t, p in of_class:
            a, b = (band(mask, options.get("dilation_ratio", 0.02)) for mask in (t, p))
            common, united = common + int(np.sum(a & b)), united + int(np.sum(a | b))
        rows.append([common / united if united else float("nan"), united])
    return [nanmean([r[0] for r in rows])], rows


write(__file__, reference, [{}, {"dilation_ratio": 0.05}, {"dilation_ratio": 0.1}], flat=True)
