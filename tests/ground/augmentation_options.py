"""The parameters of albumentations 2.0.8's transforms and their defaults, under the names of the options here:
augmentation_options.json, which augmentation_options_test.cpp compares with. What is not taken over says why. Not
compared are crop and random_crop, of which size has no default there, and noise, which is four of its transforms, whose
options are unset where they belong to another mode.

Run: python augmentation_options.py > augmentation_options.json
"""
import inspect
import json

import albumentations
import cv2

RENAMED = {"p": "probability", "normalization": "method"}
EVERYWHERE = {
    "mask_interpolation": "labels never interpolate",
    "border_mode": "outside are fill and label_fill: repeated or mirrored borders would show objects twice",
    "keypoint_remapping_method": "samples have no key points",
    "fill_mask": "is label_fill, a name of a class; unset: ignored",
    "area_for_downscale": "a value of interpolation, and labels never take it",
}
ALWAYS = "is always applied: sometimes, one_of or some_of around it make it random"
PAIRS = {  # ours: (theirs, {parameter: why it is no option, or has another default})
    "affine": ("Affine", {}),
    "perspective": ("Perspective", {}),
    "rotate": ("Rotate", {}),
    "elastic": ("ElasticTransform", {}),
    "grid_distortion": ("GridDistortion", {}),
    "optical_distortion": ("OpticalDistortion", {}),
    "random_resized_crop": ("RandomResizedCrop", {"size": "has no default there", "p": ALWAYS}),
    "transpose": ("Transpose", {}),
    "horizontal_flip": ("HorizontalFlip", {}),
    "vertical_flip": ("VerticalFlip", {}),
    "brightness_contrast": ("RandomBrightnessContrast", {
        "ensure_safe_range": "would draw from narrower ranges than those that are given"}),
    "gamma": ("RandomGamma", {}),
    "hue_saturation": ("HueSaturationValue", {}),
    "gaussian_blur": ("GaussianBlur", {}),
    "motion_blur": ("MotionBlur", {}),
    "sharpen": ("Sharpen", {name: "is unset, as it has no effect with the other method" for name in
                            ("lightness", "kernel_size", "sigma")}),
    "clahe": ("CLAHE", {}),
    "equalize": ("Equalize", {"mask": "samples have no such mask", "mask_params": "samples have no such mask"}),
    "jpeg_compression": ("ImageCompression", {}),
    "to_gray": ("ToGray", {"num_output_channels": "is unset: as many as the image has, for batches of one shape"}),
    "channel_shuffle": ("ChannelShuffle", {}),
    "coarse_dropout": ("CoarseDropout", {"fill": "is unset: 0, unless fill_mode makes random values"}),
    "fog": ("RandomFog", {}),
    "shadow": ("RandomShadow", {}),
    "mosaic": ("Mosaic", {"grid_yx": "is 2 x 2, as in YOLO", "metadata_key": "other samples come from the dataset"}),
    "one_of": ("OneOf", {"transforms": "has no default"}),
    "some_of": ("SomeOf", {"transforms": "has no default"}),
    "sometimes": ("Sequential", {"transforms": "has no default"}),
    "sequence": ("Sequential", {"transforms": "has no default", "p": "is that of sometimes"}),
    "normalize": ("Normalize", {
        "mean": "is unset: three channels have the same, others one of their own",
        "std": "is unset: three channels have the same, others one of their own",
        "max_pixel_value": "is unset: 255 for 8-bit images, and what is white in others", "p": ALWAYS}),
}


expected = {}
for ours, (theirs, without) in PAIRS.items():
    change = getattr(albumentations, theirs)
    options = {}
    for name, parameter in list(inspect.signature(change.__init__).parameters.items())[1:]:
        if name in without or name in EVERYWHERE:
            continue
        value = parameter.default
        if value is not None and isinstance(value, (int, float)) and name in ("clip_limit", "blur_limit"):
            value = getattr(change(), name)  # a single number is the end of a range
        if name == "interpolation":
            value = {cv2.INTER_LINEAR: "linear"}[value]
        options[RENAMED.get(name, name)] = value
    expected[ours] = options
print("{" + ",\n".join(json.dumps(name) + ": " + json.dumps(value) for name, value in expected.items()) + "}")
