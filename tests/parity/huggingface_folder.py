"""A SegFormer that transformers trained and saved, and what it predicts, to compare with predictions from its folder.

python huggingface_folder.py FOLDER [pytorch_model.bin]
    trains a small SegFormer-B0 for half a minute (two threads) on drawn shapes, and saves it to FOLDER as
    save_pretrained does, with images/NAME.png, and expected/NAME.png: the class numbers that Python predicts, at the
    size of each image. 255 marks pixels whose two best classes are equal up to the precision of float32. The masks are
    compared by the test "a SegFormer that Python trained …" (tests/upper/huggingface_folder_test.cpp), if
    SECTILE_HF_FOLDER is FOLDER. With the second argument, the weights are saved as torch.save writes them.
python huggingface_folder.py
    writes huggingface_folder.json beside this script: the logits of a SegFormer-B0 with weights by formula
    (name_hash.py), read by transformers from a folder, on an image by formula, for several preprocessings.

Needs torch, transformers 5, Pillow and safetensors.
"""

import json
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from safetensors import safe_open
from safetensors.torch import save_file
from transformers import SegformerConfig, SegformerForSemanticSegmentation, SegformerImageProcessor

import name_hash

CLASSES = ["background", "disc", "box", "stripe"]
SIDE = 128  # pixels, in training and of the images that need no resizing
STEPS = 80
BATCH = 4
UNDECIDED = 255


# ---- A network that is trained on drawn shapes


def scene(generator, height, width):
    """A noisy image uint8 [H, W, 3] and its labels [H, W]. Each kind of shape has its own range of colors."""
    rows, columns = np.mgrid[0:height, 0:width].astype(np.float32)
    image = 90 + 40 * np.sin(columns / generator.uniform(8, 20))[..., None] + generator.uniform(-20, 20, 3)
    labels = np.zeros((height, width), np.uint8)
    size = min(height, width)
    for _ in range(generator.integers(2, 6)):
        y, x = generator.uniform(0, height), generator.uniform(0, width)
        radius = generator.uniform(0.08, 0.25) * size
        kind = int(generator.integers(1, 4))
        if kind == 1:
            inside = (rows - y) ** 2 + (columns - x) ** 2 < radius**2
        elif kind == 2:
            inside = (abs(rows - y) < radius) & (abs(columns - x) < 0.8 * radius)
        else:
            angle = generator.uniform(0, np.pi)
            inside = abs((rows - y) * np.cos(angle) + (columns - x) * np.sin(angle)) < 0.3 * radius
        color = generator.uniform(20, 120, 3)
        color[kind - 1] = generator.uniform(150, 240)
        image[inside] = color
        labels[inside] = kind
    image = image + generator.normal(0, 12, image.shape)
    return image.clip(0, 255).astype(np.uint8), labels


def train(model, processor):
    generator = np.random.default_rng(7)
    optimizer = torch.optim.AdamW(model.parameters(), lr=6e-4, weight_decay=0.01)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 1e-3, total_steps=STEPS)
    model.train()
    begin = time.time()
    for step in range(STEPS):
        images, labels = zip(*[scene(generator, SIDE, SIDE) for _ in range(BATCH)])
        inputs = processor(images=list(images), return_tensors="pt")
        loss = model(**inputs, labels=torch.from_numpy(np.stack(labels)).long()).loss
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
        if step % 20 == 0 or step + 1 == STEPS:
            print(f"step {step}: loss {loss.item():.3f}, {time.time() - begin:.0f} s", flush=True)
    model.eval()


@torch.no_grad()
def predict(model, processor, image):
    """Class numbers uint8 [H, W], UNDECIDED where float32 does not decide."""
    outputs = model(**processor(images=image, return_tensors="pt"))
    size = image.size[::-1]
    labels = processor.post_process_semantic_segmentation(outputs, target_sizes=[size])[0]
    logits = torch.nn.functional.interpolate(outputs.logits, size=size, mode="bilinear", align_corners=False)[0]
    best = logits.topk(2, dim=0).values
    ties = best[0] - best[1] < 1e-4 * logits.abs().max()
    return torch.where(ties, UNDECIDED, labels).to(torch.uint8).numpy()


def make_folder(folder, as_bin):
    torch.manual_seed(0)
    torch.set_num_threads(2)
    names = dict(enumerate(CLASSES))
    config = SegformerConfig(num_labels=len(CLASSES), id2label=names, label2id={v: k for k, v in names.items()})
    model = SegformerForSemanticSegmentation(config)
    processor = SegformerImageProcessor(size={"height": SIDE, "width": SIDE})
    train(model, processor)

    model.save_pretrained(folder)
    processor.save_pretrained(folder)
    if as_bin:
        with safe_open(folder / "model.safetensors", "pt") as file:
            torch.save({name: file.get_tensor(name) for name in file.keys()}, folder / "pytorch_model.bin")
        (folder / "model.safetensors").unlink()
    model = SegformerForSemanticSegmentation.from_pretrained(folder).eval()
    processor = SegformerImageProcessor.from_pretrained(folder)
    for part in ("images", "expected"):
        (folder / part).mkdir(exist_ok=True)
    generator = np.random.default_rng(8)
    sizes = [(SIDE, SIDE)] * 4 + [(200, 150), (97, 160), (64, 64), (333, 500)]
    for i, (height, width) in enumerate(sizes):
        pixels, labels = scene(generator, height, width)
        image = Image.fromarray(pixels)
        mask = predict(model, processor, image)
        name = f"{i}_{'exact' if (height, width) == (SIDE, SIDE) else 'resized'}.png"
        image.save(folder / "images" / name)
        Image.fromarray(mask).save(folder / "expected" / name)
        print(f"{name}: {(mask == labels).mean():.1%} as drawn, {(mask == UNDECIDED).sum()} undecided")


# ---- Expected values with weights by formula


def formula_image(height, width):
    values = np.sin(0.05 * np.arange(height * width * 3, dtype=np.float64))
    return np.floor(127.5 * (values + 1)).astype(np.uint8).reshape(height, width, 3)


def write_formula_folder(folder, config):
    """As save_pretrained, but with weights that are computed from the names in the file."""
    SegformerForSemanticSegmentation(config).save_pretrained(folder)
    with safe_open(folder / "model.safetensors", "pt") as file:
        made = {}
        for name in file.keys():
            like = file.get_tensor(name)
            made[name] = torch.from_numpy(np.asarray(name_hash.weights(name, tuple(like.shape)))).to(like.dtype)
    save_file(made, folder / "model.safetensors", metadata={"format": "pt"})


@torch.no_grad()
def formula_cases():
    names = {0: "sky", 1: "road", 2: "car", 3: "tree", 4: "person"}
    config = SegformerConfig(num_labels=5, id2label=names, label2id={v: k for k, v in names.items()})
    size = [96, 128]
    processors = [
        {"size": {"height": size[0], "width": size[1]}},
        {"do_resize": False, "do_rescale": False, "image_mean": [120.0, 110.0, 100.0], "image_std": [60.0, 58.0, 57.0]},
        {"do_resize": False, "rescale_factor": 1 / 127.5, "image_mean": [1.0, 1.0, 1.0], "image_std": [0.5, 0.5, 0.5]},
        {"do_resize": False, "do_normalize": False},
    ]
    cases = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_formula_folder(folder, config)
        model = SegformerForSemanticSegmentation.from_pretrained(folder).eval()
        for options in processors:
            SegformerImageProcessor(**options).save_pretrained(folder)
            processor = SegformerImageProcessor.from_pretrained(folder)
            image = Image.fromarray(formula_image(*size))
            outputs = model(**processor(images=image, return_tensors="pt"))
            logits = torch.nn.functional.interpolate(outputs.logits, size=size, mode="bilinear", align_corners=False)
            labels = processor.post_process_semantic_segmentation(outputs, target_sizes=[size])[0]
            cases.append(
                {
                    "preprocessor_config.json": json.loads((folder / "preprocessor_config.json").read_text()),
                    "logits": name_hash.sample(logits),
                    "counts": torch.bincount(labels.flatten(), minlength=5).tolist(),
                }
            )
        config_file = json.loads((folder / "config.json").read_text())
    return {"size": size, "config.json": config_file, "cases": cases}


def write_expected():
    made = formula_cases()
    lines = ",\n".join(json.dumps(case) for case in made["cases"])
    head = f'{{"size": {made["size"]},\n"config.json": {json.dumps(made["config.json"])},\n"cases": [\n{lines}\n]}}\n'
    Path(__file__).with_suffix(".json").write_text(head)


if __name__ == "__main__":
    if len(sys.argv) > 1:
        target = Path(sys.argv[1])
        target.mkdir(parents=True, exist_ok=True)
        make_folder(target, as_bin=len(sys.argv) > 2)
    else:
        write_expected()
