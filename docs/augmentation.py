"""Writes augmentation.md and images/augmentation/: what each transform makes of one image of the dataset "synthetic".

    python3 docs/augmentation.py [BIN/sectile]

A transform that has no entry here ends it with its name.
"""
import json
import os
import shutil
import subprocess
import sys
import tempfile

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
PROGRAM = sys.argv[1] if len(sys.argv) > 1 else os.path.join(ROOT, "build/release/bin/sectile")
FOLDER = os.path.join(ROOT, "docs/images/augmentation")
SAMPLE, SIDE = 2, 80  # which image, and its height and width

# Small and without noise, so that the files are small too.
DATA = {"type": "synthetic", "count": 6, "seed": 7, "size": [SIDE, SIDE], "radius": [0.15, 0.22], "noise": 0,
        "light": 0, "texture": 25}

# Options that show much at this size; with a probability of 1 where there is one.
GROUPS = {
    "Geometry": {
        "horizontal_flip": {}, "vertical_flip": {}, "transpose": {}, "rotate90": {},
        "rotate": {"limit": [20, 40]}, "affine": {"rotate": [-30, 30], "scale": [0.7, 1.3], "shear": [-15, 15]},
        "perspective": {"scale": [0.1, 0.2]}, "elastic": {"alpha": 120, "sigma": 5},
        "grid_distortion": {"distort_limit": [-0.6, 0.6]}, "optical_distortion": {"distort_limit": [0.4, 0.5]},
        "resize": {"size": [48, 80]}, "random_scale": {"range": [0.6, 0.9]},
        "large_scale_jitter": {"target_size": [SIDE, SIDE], "scale_range": [0.4, 0.7]},
        "random_crop": {"size": [56, 56]}, "random_resized_crop": {"size": [SIDE, SIDE], "scale": [0.3, 0.5]},
        "crop": {"size": [56, 56]}, "crop_foreground": {"source": "labels", "margin": 4},
        "pad": {"divisor": 96, "position": "center", "fill": 128},
    },
    "Color": {
        "brightness_contrast": {"brightness_limit": [0.2, 0.2], "contrast_limit": [0.2, 0.2]},
        "contrast": {"contrast_range": [1.8, 1.8]}, "gamma": {"gamma_limit": [200, 200]},
        "hue_saturation": {"hue_shift_limit": [40, 40]}, "photometric_distortion": {}, "to_gray": {},
        "channel_shuffle": {}, "equalize": {}, "clahe": {}, "normalize": {}, "select_channels": {"channels": [0]},
    },
    "Blur, noise, weather and gaps": {
        "gaussian_blur": {"sigma_limit": [2, 2]}, "motion_blur": {"blur_limit": [9, 9]},
        "sharpen": {"alpha": [0.5, 0.5]}, "noise": {"std_range": [0.1, 0.1]},
        "downscale": {}, "jpeg_compression": {"quality_range": [10, 10]},
        "coarse_dropout": {"num_holes_range": [3, 3]}, "fog": {}, "shadow": {},
    },
    "Several images": {
        "mosaic": {"target_size": [SIDE, SIDE], "cell_shape": [SIDE, SIDE]}, "copy_paste": {}, "cutmix": {},
        "mixup": {"alpha": 5},
    },
    "Targets of losses": {
        "edges": {}, "distance_map": {}, "border_weights": {},
    },
}
# Transforms that hold transforms; how they are written.
STRUCTURE = {
    "one_of": {"transforms": [{"type": "gaussian_blur", "probability": 1}, {"type": "sharpen", "probability": 1}]},
    "some_of": {"n": 2, "transforms": [{"type": "rotate"}, {"type": "elastic"}, {"type": "perspective"}]},
    "sometimes": {"probability": 0.2, "transforms": [{"type": "to_gray"}, {"type": "noise"}]},
    "sequence": {"transforms": [{"type": "random_scale"}, {"type": "horizontal_flip"}]},
}

TEXT = """# Augmentation

`transforms.train` of a spec is a list of transforms that are applied to each training sample, in this order; `transforms.val`
is applied to what is evaluated and predicted. `sectile describe transform NAME` prints all options of one, and
[components.md](components.md) those of all. To see what a spec makes of its data:

```sh
sectile data preview SPEC -o preview            # the first eight training samples, with their labels drawn beside them
sectile data preview SPEC -o preview --times 4  # four augmentations of each
```

* **Annotation follows.** A geometric transform moves image, labels, masks, boxes, segments and targets together; labels by
  nearest pixels. What comes from outside the image has the pixel value `fill` and the class `label_fill`, by default none:
  it is ignored by losses and metrics.
* **Names and defaults** are those of albumentations 2.0.8 where it has the transform, with `p` as `probability`.
* **Random numbers** depend on the seed, the epoch, the sample and the transform's position in the list, and neither on
  threads nor on what else is drawn: a run that is resumed sees the same samples.
* **`"fuse": true`** in `transforms` joins consecutive geometric transforms to one resampling, which is faster and blurs less.
* Images have 8 or 16 bits or are float, with any number of channels; transforms of color need three. Float images are taken
  as 0 to 1. Volumes are transformed slice by slice unless a transform says otherwise.
* All images of a batch have the same size in the end: crop, pad or resize to one.
"""

RECIPES = """## Recipes

Three specs train the network of `specs/camvid.json` with what other frameworks augment their images by. Sizes are half of
CamVid's 360 x 480, down to multiples of 16, as mmsegmentation crops Cityscapes to half of its size.

| Spec | Whose | Transforms |
|---|---|---|
| `specs/camvid_mmsegmentation_augmentation.json` | mmsegmentation's configs for Cityscapes and ADE20K: RandomResize 0.5 to 2, RandomCrop with `cat_max_ratio` 0.75, RandomFlip, PhotoMetricDistortion | the same four |
| `specs/camvid_detectron2_augmentation.json` | Detectron2's large-scale jittering (`new_baselines`): ResizeScale 0.1 to 2, FixedSizeCrop with a padding of 128, RandomFlip | the same |
| `specs/camvid_nnunet_augmentation.json` | `nnUNetTrainer` of nnU-Net v2 for 2-D images: rotation, scaling, noise, blur, brightness, contrast, low resolution, gamma, mirroring, with its probabilities | the same, but see below |

Of nnU-Net, these differ: it rotates and scales around the center of each patch, here the image is turned and then cut. Its
factors of brightness and blurs are drawn for each channel, here for all together. Its gamma keeps mean and deviation, is as
often below 1 as above, and with a probability of 0.1 is applied to the inverted image; here it is uniform from 0.7 to 1.5.
Noise and brightness are of images from 0 to 1, which nnU-Net has with its normalization `rgb_to_0_1`. It rotates by up to 180
degrees if no side of the patch is longer than one and a half of the other, which is of use for images without an up and down.

Detectron2's older default is ResizeShortestEdge with one of six sizes by chance, of which three are here:

```json
{ "type": "one_of", "probability": 1, "transforms": [
    { "type": "resize", "shortest_edge": 640, "longest_edge": 1333, "rounding": "nearest" },
    { "type": "resize", "shortest_edge": 720, "longest_edge": 1333, "rounding": "nearest" },
    { "type": "resize", "shortest_edge": 800, "longest_edge": 1333, "rounding": "nearest" } ] },
{ "type": "horizontal_flip" },
{ "type": "pad", "size": [1344, 1344] }
```
"""


def listed():
    """{name: summary} of all transforms."""
    env = {key: value for key, value in os.environ.items() if key != "SECTILE_PLUGIN_PATH"}
    out = subprocess.run([PROGRAM, "list", "transform", "--json"], env=env, check=True, capture_output=True).stdout
    return {one["name"]: one["summary"] for one in json.loads(out)["components"]}


def has_probability(name):
    out = subprocess.run([PROGRAM, "describe", "transform", name], check=True, capture_output=True, text=True).stdout
    return any(line.startswith("  probability:") for line in out.splitlines())


def draw(name, transform, scratch):
    spec = os.path.join(scratch, "spec.json")
    with open(spec, "w") as file:
        json.dump({"data": {"train": DATA}, "transforms": {"train": transform}, "train": {"seed": 3}}, file)
    subprocess.run([PROGRAM, "data", "preview", spec, "-o", scratch, "--first", str(SAMPLE), "--count", "1", "--quiet",
                    "--overwrite"], check=True)
    shutil.move(os.path.join(scratch, f"train_{SAMPLE:04}.png"), os.path.join(FOLDER, f"{name}.png"))


def code(value):
    return "`" + json.dumps(value) + "`"


summaries = listed()
known = {name for group in GROUPS.values() for name in group} | set(STRUCTURE)
if known != set(summaries):
    sys.exit(f"docs/augmentation.py: without an entry: {sorted(set(summaries) - known)}; without a transform: "
             f"{sorted(known - set(summaries))}")
os.makedirs(FOLDER, exist_ok=True)
with tempfile.TemporaryDirectory() as scratch, open(os.path.join(ROOT, "docs/augmentation.md"), "w") as page:
    draw("none", [], scratch)
    page.write(TEXT)
    page.write("\nBelow, each image is drawn with its labels beside it, after one transform. Without any:\n\n"
               "![the image and its labels](images/augmentation/none.png)\n")
    for group, transforms in GROUPS.items():
        page.write(f"\n## {group}\n\n| Transform | | in the spec |\n|---|---|---|\n")
        for name, options in transforms.items():
            shown = {"type": name, **options, **({"probability": 1} if has_probability(name) else {})}
            draw(name, [shown], scratch)
            page.write(f"| **{name}**<br>{summaries[name]} | ![{name}](images/augmentation/{name}.png) | {code(shown)} |\n")
    page.write("\n## Transforms that hold transforms\n\n| Transform | in the spec |\n|---|---|\n")
    for name, options in STRUCTURE.items():
        page.write(f"| **{name}**<br>{summaries[name]} | {code({'type': name, **options})} |\n")
    page.write("\n" + RECIPES + "\nMade by `docs/augmentation.py`.\n")
total = sum(os.path.getsize(os.path.join(FOLDER, file)) for file in os.listdir(FOLDER))
print(f"{len(os.listdir(FOLDER))} images, {total / 1024:.0f} KB")
