"""Transforms beside those of albumentations 2.0.8: one RGB image of 480 x 360 pixels of 8 bits with its mask, the same
parameters, probability 1, one thread each. A figure is the time per call over at least BENCH_SECONDS (0.2) of calls, each
with other random numbers. Both programs stay alive, and take turns on one CPU: of two, one may be slower for a while. A
ratio is the median of those of the rounds. The last line is the median of all ratios.

`rotate90` may also draw no turn there. Without a row: `normalize`, which leaves the pixels to the batch here; and what
albumentations does not have, `contrast`, `copy_paste`, `crop_foreground`, `cutmix`, `large_scale_jitter`, `mixup`,
`photometric_distortion` (its ColorJitter draws other changes), `select_channels`, and the targets `border_weights`,
`distance_map` and `edges`. `one_of`, `some_of`, `sometimes` and `sequence` only call others.

BENCH_PARTS="affine clahe": only these rows
"""
# targets: bench_transforms
import json
import os
import statistics
import subprocess
import sys
import tempfile

import numpy as np
from PIL import Image, ImageFilter

import harness

PEER = os.path.join(os.path.dirname(os.path.abspath(__file__)), "peers/transforms.py")
PROGRAM = os.path.join(os.path.dirname(harness.SECTILE), "bench_transforms")
SECONDS = float(os.environ.get("BENCH_SECONDS", 0.2))
HEIGHT, WIDTH, CLASSES = 360, 480, 12
CUBIC = 2  # cv2.INTER_CUBIC

# Row: options here; class and options there, if they differ.
ROWS = {
    "horizontal_flip": ({}, "HorizontalFlip", {}),
    "vertical_flip": ({}, "VerticalFlip", {}),
    "transpose": ({}, "Transpose", {}),
    "rotate90": ({}, "RandomRotate90", {}),
    "random_crop": ({"size": [256, 256]}, "RandomCrop", {"height": 256, "width": 256}),
    "crop": ({"size": [256, 256]}, "CenterCrop", {"height": 256, "width": 256}),
    "pad": ({"size": [512, 512], "position": "center"}, "PadIfNeeded", {"min_height": 512, "min_width": 512}),
    "resize": ({"size": [256, 256], "backend": "cv2"}, "Resize", {"height": 256, "width": 256}),
    "random_scale": ({"range": [0.5, 2]}, "RandomScale", {"scale_limit": [-0.5, 1]}),
    "random_resized_crop": ({"size": [256, 256]}, "RandomResizedCrop", {"size": [256, 256]}),
    "rotate": ({"limit": [-45, 45]}, "Rotate", {"limit": [-45, 45]}),
    "affine": ({"rotate": [-45, 45], "scale": [0.7, 1.4], "shear": [-10, 10]}, "Affine",
               {"rotate": [-45, 45], "scale": [0.7, 1.4], "shear": [-10, 10]}),
    "affine_cubic": ({"type": "affine", "rotate": [-45, 45], "interpolation": "cubic"}, "Affine",
                     {"rotate": [-45, 45], "interpolation": CUBIC}),
    "perspective": ({}, "Perspective", {}),
    "elastic": ({"alpha": 300, "sigma": 10}, "ElasticTransform", {"alpha": 300, "sigma": 10}),
    "elastic_sigma_50": ({"type": "elastic"}, "ElasticTransform", {}),
    "grid_distortion": ({}, "GridDistortion", {}),
    "optical_distortion": ({}, "OpticalDistortion", {}),
    "brightness_contrast": ({}, "RandomBrightnessContrast", {}),
    "gamma": ({}, "RandomGamma", {}),
    "hue_saturation": ({}, "HueSaturationValue", {}),
    "to_gray": ({}, "ToGray", {}),
    "channel_shuffle": ({}, "ChannelShuffle", {}),
    "equalize": ({}, "Equalize", {}),
    "clahe": ({}, "CLAHE", {}),
    "gaussian_blur": ({}, "GaussianBlur", {}),
    "motion_blur": ({}, "MotionBlur", {}),
    "noise": ({}, "GaussNoise", {}),
    "noise_multiplicative": ({"type": "noise", "mode": "multiplicative", "elementwise": True}, "MultiplicativeNoise",
                             {"elementwise": True}),
    "noise_poisson": ({"type": "noise", "mode": "poisson"}, "ShotNoise", {}),
    "sharpen": ({}, "Sharpen", {}),
    "jpeg_compression": ({"quality_range": [50, 90]}, "ImageCompression", {"quality_range": [50, 90]}),
    "downscale": ({}, "Downscale", {}),
    "coarse_dropout": ({}, "CoarseDropout", {}),
    "fog": ({}, "RandomFog", {}),
    "shadow": ({}, "RandomShadow", {}),
    "mosaic": ({}, "Mosaic", {}),
}
ALWAYS = {"crop", "pad", "random_crop", "random_resized_crop", "resize"}  # without a probability


def write_pair(folder):
    """An image with edges, texture and noise, and a mask of regions."""
    random = np.random.default_rng(1)
    regions = Image.fromarray(random.integers(0, CLASSES, (9, 12), dtype=np.uint8)).resize((WIDTH, HEIGHT), Image.NEAREST)
    labels = np.array(regions)
    colors = random.integers(0, 256, (CLASSES, 3))
    y, x = np.ogrid[:HEIGHT, :WIDTH]
    waves = 20 * np.sin(x / 5) * np.cos(y / 7)
    image = colors[labels] + waves[..., None] + random.normal(0, 8, (HEIGHT, WIDTH, 3))
    files = [os.path.join(folder, name) for name in ("image.png", "labels.png")]
    Image.fromarray(image.clip(0, 255).astype(np.uint8)).filter(ImageFilter.GaussianBlur(1)).save(files[0])
    regions.save(files[1])
    return files


class Server:
    """A program that answers each line with one."""

    def __init__(self, *command):
        env = {**os.environ, "OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1", "NO_ALBUMENTATIONS_UPDATE": "1"}
        self.process = subprocess.Popen(command, env=env, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def milliseconds(self, request):
        self.process.stdin.write(json.dumps({**request, "seconds": SECONDS}) + "\n")
        self.process.stdin.flush()
        answer = self.process.stdout.readline()
        if not answer:
            raise SystemExit(f"{self.process.args[0]} ended at {json.dumps(request)}")
        return json.loads(answer)["ms"]

    def end(self):
        self.process.stdin.close()
        self.process.wait()


def once(server, request):
    return lambda: (server.milliseconds(request), 0)


os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})  # of both programs, too
with tempfile.TemporaryDirectory() as folder:
    pair = write_pair(folder)
    ours, peer = Server(PROGRAM, *pair), Server(sys.executable, PEER, *pair)
    chosen = os.environ.get("BENCH_PARTS", " ".join(ROWS)).split()
    figures = {}
    for name in chosen:
        options, their_class, their_options = ROWS[name]
        options = {"type": name, **options}
        if options["type"] not in ALWAYS:
            options["probability"] = 1
        figures[f"transforms/{name}/uint8/albumentations"] = (
            once(ours, {"transform": options}), once(peer, {"class": their_class, "options": their_options}))
    ratios = harness.compare(figures, "ms", larger_is_better=False, by_round=True)
    print(json.dumps({"name": "transforms/median_ratio", "ratio": round(statistics.median(ratios.values()), 3),
                      "least": min(ratios, key=ratios.get), "rows": len(ratios)}))
    ours.end()
    peer.end()
