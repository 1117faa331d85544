"""Expected distances by scipy.ndimage.distance_transform_edt, in distance_transform.json.

    python tests/ground/distance_transform.py

A result is [mean, mean of the products with random factors, largest distance].
"""

import json
import sys
from pathlib import Path

import numpy as np
from scipy.ndimage import distance_transform_edt

sys.path.insert(0, str(Path(__file__).parent.parent / "parity"))
from formula import uniform  # noqa: E402

SIZES = [[1, 1], [1, 17], [13, 1], [9, 14], [31, 23], [2, 3, 4], [5, 1, 6], [7, 9, 8]]
SHARES = [0.02, 0.1, 0.5, 0.95]


def case(index):
    size = SIZES[index % len(SIZES)]
    count = int(np.prod(size))
    mask = uniform((index, 0), count) < SHARES[index // len(SIZES) % len(SHARES)]
    mask[index % count] = True  # somewhere
    spacing = np.exp(-2 + 4 * uniform((index, 1), 3))[::-1][-len(size) :] if index % 3 else np.ones(len(size))
    distances = distance_transform_edt(~mask.reshape(size), sampling=spacing).ravel()
    return [distances.mean(), (distances * uniform((index, 2), count)).mean(), distances.max()]


if __name__ == "__main__":
    results = ",\n".join("  " + json.dumps([float(f"{x:.15g}") for x in case(index)]) for index in range(200))
    head = f'"sizes": {json.dumps(SIZES)}, "shares": {json.dumps(SHARES)}'
    Path(__file__).with_suffix(".json").write_text(f'{{{head}, "results": [\n{results}\n]}}\n')
