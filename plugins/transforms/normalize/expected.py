"""What albumentations 2.0.8, numpy and nnU-Net's formula make of images: expected.json for the test.

nnU-Net 2's CTNormalization clips to two percentiles of the training set's foreground, subtracts its mean, and divides
by its standard deviation. TorchIO's RescaleIntensity clips to percentiles of the image and scales to 0..1.

Run: python expected.py > expected.json
"""
import json

import albumentations
import numpy as np

METHODS = ("image", "image_per_channel", "min_max", "min_max_per_channel")
LOWER, UPPER = 10, 85  # percentiles
LOW, HIGH, MEAN, DEVIATION = -40, 90, 20.5, 33.25


def scattered(count):
    i = np.arange(count, dtype=np.int64)
    return (i * i * 40503 + i * 9973) % 65521


def bytes_image():
    image = (scattered(6 * 7 * 3) % 200).astype(np.uint8).reshape(6, 7, 3)
    image[..., 1] //= 2  # channels differ
    return image


def percentile(image, axis):
    low, high = np.percentile(image, [LOWER, UPPER], axis=axis)
    return (np.clip(image, low, high) - low) / (high - low)


def case(method, kind, after):
    return {"method": method, "kind": kind, "values": [float(f"{value:.6g}") for value in np.ravel(after)]}


expected = [case(method, "8U", albumentations.Normalize(normalization=method, p=1)(image=bytes_image())["image"])
            for method in METHODS]
real = bytes_image().astype(np.float32) / 128
expected += [case("percentile", "32F", percentile(real, None)),
             case("percentile_per_channel", "32F", percentile(real, (0, 1)))]
hounsfield = (scattered(6 * 7) % 300 - 150).astype(np.int16)
expected.append(case("ct_clip", "16S", (np.clip(hounsfield.astype(np.float32), LOW, HIGH) - MEAN) / DEVIATION))
print("[" + ",\n".join(json.dumps(one, separators=(",", ":")) for one in expected) + "]")
