"""All results of mmsegmentation 1.2's PhotoMetricDistortion with fixed strengths, by its coins: expected.json.

Run with mmsegmentation 1.2.2 and mmcv-lite 2.1: python expected.py > expected.json
"""
import json
import sys
from unittest import mock

import numpy as np

sys.modules["mmcv.ops"] = mock.MagicMock()  # compiled operators, which mmcv-lite does not have and this does not need
from mmseg.datasets.transforms import transforms  # noqa: E402

BRIGHTNESS, CONTRAST, SATURATION, HUE = 0, 1.4, 0.6, 0


class Coins:
    """In place of numpy.random: coins as given, ranges of no width, and no hue."""

    def __init__(self, coins):
        self.coins = list(coins)

    def randint(self, low, high=None):
        return self.coins.pop(0) if high is None else HUE

    def uniform(self, low, high):
        return high


def distorted(image, contrast_first, contrast, saturation):
    """The coins' order: brightness, mode, (contrast), saturation, hue, (contrast)."""
    coins = [0, 1, contrast, saturation, 0] if contrast_first else [0, 0, saturation, 0, contrast]
    transforms.random = Coins(coins)
    change = transforms.PhotoMetricDistortion(BRIGHTNESS, (CONTRAST, CONTRAST), (SATURATION, SATURATION), HUE)
    bgr = np.ascontiguousarray(image[..., ::-1])
    return change.transform({"img": bgr})["img"][..., ::-1].ravel().tolist()


i = np.arange(7 * 8 * 3, dtype=np.int64)
pixels = ((i * i * 40503 + i * 9973) % 65521 % 256).astype(np.uint8).reshape(7, 8, 3)
expected = {"none": distorted(pixels, 0, 0, 0), "contrast": distorted(pixels, 0, 1, 0),
            "saturation": distorted(pixels, 0, 0, 1), "contrast_saturation": distorted(pixels, 1, 1, 1),
            "saturation_contrast": distorted(pixels, 0, 1, 1)}
print("{" + ",\n".join(f'"{name}": {json.dumps(values, separators=(",", ":"))}' for name, values in expected.items())
      + "}")
