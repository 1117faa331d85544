"""Displacements of albumentations 2.0.8: their standard deviation, and their correlation with those of the pixel some
columns to the right: expected.json for the test.

Run: python expected.py > expected.json
"""
import json

import numpy as np
from albumentations.augmentations.geometric import functional

HEIGHT, WIDTH, LAG = 60, 80, 5
CASES = [  # alpha, sigma, approximate, noise_distribution
    (1, 3, False, "gaussian"),
    (100, 9, False, "gaussian"),
    (40, 5, False, "uniform"),
    (40, 30, True, "gaussian"),
]
generator = np.random.default_rng(1)
expected = []
for alpha, sigma, approximate, distribution in CASES:
    here, beside = [], []
    for _ in range(300):
        field, _ = functional.generate_displacement_fields((HEIGHT, WIDTH), alpha, sigma, same_dxdy=False,
                                                           kernel_size=(17, 17) if approximate else (0, 0),
                                                           random_generator=generator, noise_distribution=distribution)
        # Far from the lower edge, where albumentations smooths together with the displacements along y.
        here.append(field[10:30, 20:50].copy())
        beside.append(field[10:30, 20 + LAG:50 + LAG].copy())
    here, beside = np.array(here), np.array(beside)
    expected.append({"alpha": alpha, "sigma": sigma, "approximate": approximate, "noise_distribution": distribution,
                     "deviation": float(f"{here.std():.5g}"),
                     "correlation": float(f"{(here * beside).mean() / (here.std() * beside.std()):.4g}")})
print("[" + ",\n".join(json.dumps(case, separators=(",", ":")) for case in expected) + "]")
