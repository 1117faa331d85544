"""Writes augmentation.md and images/augmentation/: what each transform makes of one image of the dataset "synthetic".

    python3 docs/augmentation.py [BIN/sectile]

It needs Pillow. A transform that has no entry here ends it with its name.
"""
import json
import os
import subprocess
import sys
import tempfile

from PIL import Image

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
PROGRAM = sys.argv[1] if len(sys.argv) > 1 else os.path.join(ROOT, "build/release/bin/sectile")
FOLDER = os.path.join(ROOT, "docs/images/augmentation")
SAMPLE, SIDE = 0, 96  # which image, and its height and width
COLORS = 64  # of the files, which are smaller so

# Small and without noise, so that the files are small too.
DATA = {"type": "synthetic", "count": 6, "seed": 10, "size": [SIDE, SIDE], "shapes": [3, 4], "radius": [0.13, 0.19], "noise": 0,
        "light": 0, "texture": 25}

# Options that show much at this size, with a probability of 1 where there is one; and what the summary does not say.
GROUPS = {
    "Geometry": ("Image and annotation are moved together, by one warp.", {
        "horizontal_flip": ({}, ""),
        "vertical_flip": ({}, "For images without an up and down: of microscopes, from above."),
        "transpose": ({}, ""),
        "rotate90": ({}, "Pixels are moved as they are."),
        "rotate": ({"limit": [20, 40]}, "`crop_border` cuts off what comes from outside."),
        "affine": ({"rotate": [-30, 30], "scale": [0.7, 1.3], "shear": [-15, 15]}, "All four are in one resampling."),
        "perspective": ({"scale": [0.1, 0.2]}, ""),
        "elastic": ({"alpha": 120, "sigma": 5}, "Set both `alpha` and `sigma`: the defaults, albumentations' own, move pixels by thousandths."),
        "grid_distortion": ({"distort_limit": [-0.6, 0.6]}, ""),
        "optical_distortion": ({"distort_limit": [0.5, 0.6]}, "Below 0 it is a pincushion."),
        "resize": ({"size": [64, 96]}, ""),
        "random_scale": ({"range": [0.6, 0.9]}, "Crop or pad afterwards."),
        "large_scale_jitter": ({"target_size": [SIDE, SIDE], "scale_range": [0.4, 0.7]}, ""),
        "random_crop": ({"size": [64, 64]}, "`class_probability` looks for classes, `category_max_ratio` avoids crops of one class."),
        "random_resized_crop": ({"size": [SIDE, SIDE], "scale": [0.3, 0.5]}, ""),
        "crop": ({"size": [64, 64]}, ""),
        "crop_foreground": ({"source": "labels", "margin": 2}, "For scans that are mostly empty."),
        "pad": ({"size": [SIDE, 128], "position": "center", "fill": 128}, "The padding has no class."),
    }),
    "Color": ("Annotation stays as it is.", {
        "brightness_contrast": ({"brightness_limit": [0.2, 0.2], "contrast_limit": [0.2, 0.2]}, ""),
        "contrast": ({"contrast_range": [1.8, 1.8]}, "It is nnU-Net's; brightness stays."),
        "gamma": ({"gamma_limit": [200, 200]}, ""),
        "hue_saturation": ({"hue_shift_limit": [40, 40]}, ""),
        "photometric_distortion": ({"hue_delta": 60}, "SSD's and mmsegmentation's."),
        "to_gray": ({}, ""),
        "channel_shuffle": ({}, ""),
        "select_channels": ({"channels": [2, 1, 0]}, "Not at random: for `val` as well."),
        "equalize": ({}, ""),
        "clahe": ({"clip_limit": [40, 40], "tile_grid_size": [4, 4]}, ""),
        "normalize": ({}, "Done when a batch is made: a preview shows the pixels before it. `method` has min-max, z-score, "
                          "percentiles and nnU-Net's clipping of CT."),
    }),
    "Blur, noise, weather and gaps": ("Annotation stays as it is, unless `coarse_dropout` is told to cut it out too.", {
        "gaussian_blur": ({"sigma_limit": [2, 2]}, ""),
        "motion_blur": ({"blur_limit": [9, 9]}, ""),
        "sharpen": ({"alpha": [0.5, 0.5]}, ""),
        "noise": ({"std_range": [0.1, 0.1]}, "`mode` has multiplicative and photon noise too."),
        "downscale": ({}, ""),
        "jpeg_compression": ({"quality_range": [10, 10]}, ""),
        "coarse_dropout": ({"num_holes_range": [3, 3]}, ""),
        "fog": ({}, ""),
        "shadow": ({"num_shadows_limit": [2, 2]}, ""),
    }),
    "Several images": (
        "The other samples are drawn from all of the training data, also from what a sampler never takes, with the transforms before\n"
        "this one applied to them. Segments of panoptic data stay with the image that is on top; `mixup` drops them.", {
        "mosaic": ({"target_size": [SIDE, SIDE], "cell_shape": [SIDE, SIDE]}, ""),
        "copy_paste": ({}, "What is hidden is removed from masks and boxes."),
        "cutmix": ({}, ""),
        "mixup": ({"alpha": 5}, "Shown is the class with the larger share. Losses have to read shares: `cross_entropy`, `focal`, "
                  "`bce` and `dice` do."),
    }),
    "Targets of losses": (
        "Maps that are computed from the annotation, warped and batched with the sample, and read by losses: see\n"
        "[spec.md](spec.md#which-output-a-loss-reads). They are the third image.", {
        "edges": ({"width": 3}, ""), "distance_map": ({"of": "components"}, "By default, each class has a channel of its own."),
        "border_weights": ({}, "For touching cells."),
    }),
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
sectile data preview SPEC -o preview              # the first eight training samples, with their labels drawn beside them
sectile data preview SPEC -o augmented --times 4  # four augmentations of each
```

* **Annotation follows.** A geometric transform moves image, labels, masks, boxes, segments and targets together. Labels and
  masks take the nearest pixel, images are interpolated. An object's box is that of its mask, or else surrounds its own
  moved corners; objects that leave the image are dropped, and those that lose a part keep the rest.
* **What comes from outside** the image has the pixel value `fill` (0) and the class `label_fill`, by default none: such pixels
  are ignored by losses and metrics.
* **Probability.** `probability` is the chance that a transform is applied to a sample, `p` elsewhere. Crops, `resize`, `pad`,
  `random_scale`, `large_scale_jitter` and `normalize` are always applied, or have 1 by default.
* **Order.** Put what reads pixels or labels (`random_crop` with `class_probability`, mixing, targets) after what changes the
  size, noise and blur after geometry, `edges`, `distance_map` and `border_weights` after both, and `normalize` last. Images of
  a batch that differ in size are padded at the right and the bottom, which costs time: crop, pad or resize to one.
* **Random numbers** depend on the seed, the epoch, the sample, how often it came before in the epoch and the transform's
  position in the list, and neither on threads nor on what else is drawn: a run that is resumed sees the same samples.
* **`"fuse": true`** in `transforms` joins consecutive geometric transforms to one resampling, which is faster and blurs less.
* **Pixels.** Images have 8 or 16 bits or are float, with any number of channels; transforms of color need three. Float images
  are taken as 0 to 1; color, noise and weather refuse what is far outside. Changes of brightness and noise are fractions of
  the largest value of the type, 255, 65535 or 1: give smaller ones for 16-bit images that only use a part of it. Volumes are
  transformed slice by slice unless a transform says otherwise.
"""

ELSEWHERE = """## Names elsewhere

Names of options and their defaults are those of albumentations 2.0.8 where it has the transform, with `p` as `probability`. Older
ones here differ: `rotate90` turns with probability 0.5 and then always (theirs always draws, one of four times no turn), `pad`
puts the image in the middle only with `"position": "center"`, `resize` averages over pixels when it shrinks unless told
otherwise, `random_crop` pads what is too small, and `normalize` says `deviation` and `max_value`. Pixels differ on purpose in
`jpeg_compression` (theirs compresses red as blue), `optical_distortion`, `grid_distortion` and `perspective` (theirs are off by
up to a pixel, or scaled twice), and `sharpen` by `gaussian` (theirs wraps around at 256).

| albumentations | here |
|---|---|
| HorizontalFlip, VerticalFlip, Transpose, RandomRotate90 | `horizontal_flip`, `vertical_flip`, `transpose`, `rotate90` |
| D4 | `rotate90` (`"probability": 0.75`) and `horizontal_flip` |
| Rotate; Affine, ShiftScaleRotate | `rotate`; `affine` |
| Perspective, ElasticTransform, GridDistortion, OpticalDistortion | `perspective`, `elastic`, `grid_distortion`, `optical_distortion` |
| Resize; SmallestMaxSize; LongestMaxSize | `resize` with `size`; with `shortest_edge`; with `longest_edge` |
| RandomScale | `random_scale`, whose `range` is of factors: `scale_limit` 0.1 is `[0.9, 1.1]` |
| Crop, CenterCrop | `crop` with `window`, or with `size` |
| RandomCrop; CropNonEmptyMaskIfExists | `random_crop`; with `"class_probability": 1` |
| RandomResizedCrop | `random_resized_crop` |
| Pad, PadIfNeeded | `pad` |
| RandomBrightnessContrast, RandomGamma, HueSaturationValue | `brightness_contrast`, `gamma`, `hue_saturation` |
| ColorJitter | `photometric_distortion`, or `brightness_contrast` and `hue_saturation` |
| ToGray, ChannelShuffle, Equalize, CLAHE, Normalize | `to_gray`, `channel_shuffle`, `equalize`, `clahe`, `normalize` |
| GaussianBlur, MotionBlur, Sharpen | `gaussian_blur`, `motion_blur`, `sharpen` |
| GaussNoise; MultiplicativeNoise; ShotNoise | `noise`; with `"mode": "multiplicative"`; with `"poisson"` |
| Downscale, ImageCompression | `downscale`, `jpeg_compression` |
| CoarseDropout, Erasing | `coarse_dropout` |
| RandomFog, RandomShadow | `fog`, `shadow` |
| Mosaic | `mosaic` |
| OneOf, SomeOf, Sequential | `one_of`, `some_of`, `sequence`, or `sometimes` with a probability |
| ToTensorV2 | not needed |

| Others | here |
|---|---|
| mmsegmentation: RandomResize, RandomCrop with `cat_max_ratio`, PhotoMetricDistortion | `random_scale`, `random_crop` with `category_max_ratio`, `photometric_distortion` |
| Detectron2: ResizeShortestEdge; ResizeScale and FixedSizeCrop | `resize` in `one_of`; `large_scale_jitter` |
| nnU-Net: ContrastTransform, SimulateLowResolutionTransform, oversampled foreground | `contrast`, `downscale`, `random_crop` with `class_probability` |
| MONAI: CropForegroundd, ScaleIntensityRangePercentilesd | `crop_foreground`, `normalize` with `"method": "percentile"` |
| torchvision: RandomApply, RandomChoice, CutMix, MixUp | `sometimes`, `one_of`, `cutmix`, `mixup` |
"""

RECIPES = """## Recipes

Three specs train the network of `specs/camvid.json` with what other frameworks augment their images by.

| Spec | Whose | Transforms |
|---|---|---|
| `camvid_mmsegmentation_augmentation` | mmsegmentation's configs for Cityscapes and ADE20K: RandomResize 0.5 to 2, RandomCrop with `cat_max_ratio` 0.75, RandomFlip, PhotoMetricDistortion | the same four; crops are half as high and wide as images, as theirs of Cityscapes |
| `camvid_detectron2_augmentation` | Detectron2's large-scale jittering (`new_baselines`): ResizeScale 0.1 to 2, FixedSizeCrop with a padding of 128, RandomFlip | the same, at the size that images are evaluated at, as theirs, and by areas, as Pillow averages where an image shrinks |
| `camvid_nnunet_augmentation` | `nnUNetTrainer` of nnU-Net v2 for 2-D images: rotation, scaling, foreground in a third of the patches, noise, blur, brightness, contrast, low resolution, gamma, mirroring, with its probabilities | the same, but see below |

Of nnU-Net, these differ. It rotates and scales around the center of each patch; here the image is turned and then cut. Its
factors of brightness and gamma and its blurs are drawn for each channel, and half of the channels are blurred; here all alike.
Its gamma keeps mean and deviation, and with a probability of 0.1 is also applied to the inverted image; here it is not. Pixels
from outside are its class 0, and ignored here. Noise and brightness are of images from 0 to 1, which nnU-Net has with its
normalization `RGBTo01Normalization`. It rotates by up to 180 degrees if no side of the patch is longer than one and a half of
the other, and mirrors along both axes, which is of use for images without an up and down: for streets, remove
`vertical_flip` and make `rotate` [-15, 15].

Detectron2's older default is ResizeShortestEdge with one of six sizes by chance, of which three are here:

```json
{ "type": "one_of", "probability": 1, "transforms": [
    { "type": "resize", "shortest_edge": 640, "longest_edge": 1333, "rounding": "nearest" },
    { "type": "resize", "shortest_edge": 720, "longest_edge": 1333, "rounding": "nearest" },
    { "type": "resize", "shortest_edge": 800, "longest_edge": 1333, "rounding": "nearest" } ] },
{ "type": "horizontal_flip" },
{ "type": "pad", "size": [1344, 1344] }
```

More of them:

| Spec | What |
|---|---|
| `camvid_deit_augmentation` | as classifiers are trained (DeiT): random resized crops, two of RandAugment's changes, erasing, mixup or CutMix |
| `camvid_weather` | for cameras in cars: fog, shadows, motion blur, noise in the dark, JPEG |
| `camvid_class_balanced` | rare classes, by images and by crops |
| `coco128_yolox_augmentation` | of objects: mosaic, affine, mixup (YOLOX) |
| `coco128_copy_paste` | of objects: large-scale jittering and copy-paste, with images of rare classes repeated (Ghiasi et al. 2021) |
| `coco128_detr_augmentation` | DETR's choice of a resize, or a resize, a crop and a resize |
| `isbi2012_unet_augmentation` | U-Net's: elastic deformations, rotations, weights of borders |
| `nuclei_strong_augmentation` | a list of albumentations' examples that is used for microscopy and in competitions |
| `nuclei_distances` | distances to the borders of nuclei, learned beside the labels |
| `isbi2012_edges` | membranes, learned from the outlines of cells in place of the labels |
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
    image = Image.open(os.path.join(scratch, f"train_{SAMPLE:04}.png")).convert("RGB")
    image.quantize(COLORS, dither=Image.Dither.NONE).save(os.path.join(FOLDER, f"{name}.png"), optimize=True)


def row(name, options, note, summary, scratch):
    shown = {"type": name, **options, **({"probability": 1} if has_probability(name) else {})}
    image = ""
    if name != "normalize":
        draw(name, [shown], scratch)
        image = f"![{name}](images/augmentation/{name}.png)"
    text = f"**`{name}`** {summary}{' ' + note if note else ''}"
    return f"| {image} | {text}<br>`{json.dumps(shown)}` |\n"


summaries = listed()
known = {name for _, group in GROUPS.values() for name in group} | set(STRUCTURE)
if known != set(summaries):
    sys.exit(f"docs/augmentation.py: without an entry: {sorted(set(summaries) - known)}; without a transform: "
             f"{sorted(known - set(summaries))}")
os.makedirs(FOLDER, exist_ok=True)
with tempfile.TemporaryDirectory() as scratch:
    draw("none", [], scratch)
    parts = [TEXT, "Below, each image is drawn with its labels beside it, after the one transform that is written there: "
                   "often with\nstronger options than the defaults, to be seen. Without any:\n\n"
                   "![the image and its labels](images/augmentation/none.png)\n"]
    for group, (about, transforms) in GROUPS.items():
        rows = "".join(row(name, *entry, summaries[name], scratch) for name, entry in transforms.items())
        parts.append(f"## {group}\n\n{about}\n\n| | |\n|---|---|\n{rows}")
parts.append("## Transforms that hold transforms\n\n| | in the spec |\n|---|---|\n" + "".join(
    f"| **`{name}`** {summaries[name]} | `{json.dumps({'type': name, **options})}` |\n"
    for name, options in STRUCTURE.items()))
with open(os.path.join(ROOT, "docs/augmentation.md"), "w") as page:
    page.write("\n".join([*parts, RECIPES, ELSEWHERE]) + "\nMade by `docs/augmentation.py`.\n")
total = sum(os.path.getsize(os.path.join(FOLDER, file)) for file in os.listdir(FOLDER))
print(f"{len(os.listdir(FOLDER))} images, {total / 1024:.0f} KB")
