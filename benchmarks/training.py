"""Training speed on CamVid: batches of 4 crops of 256 x 256, AdamW, against plain PyTorch."""
import json
import os
import statistics
import sys
import tempfile

import harness

WARM_UP, STEPS = int(os.environ.get("BENCH_WARM_UP", 2)), int(os.environ.get("BENCH_STEPS", 5))  # of each run
PEER = os.path.join(os.path.dirname(os.path.abspath(__file__)), "peers/training.py")
CLASSES = ["sky", "building", "pole", "road", "pavement", "tree", "sign", "fence", "car", "pedestrian", "bicyclist"]


def spec(model, precision):
    root = os.path.join(harness.DATA, "camvid")
    return {
        "data": {"train": {"type": "image_folder", "root": root, "images": "train", "masks": "trainannot",
                           "classes": [{"name": name} for name in CLASSES], "ignore": [11],
                           "limit": 4 * (WARM_UP + STEPS)}},
        "transforms": {"train": [{"type": "random_scale", "range": [0.75, 1.5]}, {"type": "pad", "size": [256, 256]},
                                 {"type": "random_crop", "size": [256, 256]}, {"type": "horizontal_flip"},
                                 {"type": "brightness_contrast"}, {"type": "normalize"}]},
        "model": model,
        "loss": [{"type": "cross_entropy"}],
        "metrics": [{"type": "iou"}],
        "optimizer": {"type": "adamw", "lr": 1e-3},
        "train": {"epochs": 1, "batch_size": 4, "workers": 2, "precision": precision},
    }


def speed(seconds):
    """Images per second out of when each step ended."""
    return 4 / statistics.median(b - a for a, b in zip(seconds[WARM_UP - 1:], seconds[WARM_UP:]))


def ours(model, precision):
    def once():
        with tempfile.TemporaryDirectory() as folder:
            with open(os.path.join(folder, "spec.json"), "w") as file:
                json.dump(spec(model, precision), file)
            _, peak, _ = harness.run([harness.SECTILE, "train", os.path.join(folder, "spec.json"), "-o",
                                      os.path.join(folder, "run"), "--quiet"])
            with open(os.path.join(folder, "run/log.jsonl")) as file:
                steps = [line for line in map(json.loads, file) if line["event"] == "step"]
        return speed([step["seconds"] for step in steps]), peak
    return once


def peer(model, precision, layout):
    def once():
        _, peak, out = harness.run([sys.executable, PEER, model, os.path.join(harness.DATA, "camvid"), precision, layout,
                                    str(WARM_UP + STEPS)])
        return speed(json.loads(out)), peak
    return once


def figures(benchmark, model, peer_model):
    """model: as in a spec; peer_model: its name in peers/training.py."""
    wanted = os.environ.get("BENCH_PRECISION", "fp32 bf16").split()
    fp32, bf16 = ours(model, "fp32"), ours(model, "bf16")
    figures = {}
    if "fp32" in wanted:
        figures[f"{benchmark}/256x256x4/fp32/torch"] = (fp32, peer(peer_model, "fp32", "contiguous"))
        figures[f"{benchmark}/256x256x4/fp32/torch_channels_last"] = (fp32, peer(peer_model, "fp32", "channels_last"))
    if "bf16" in wanted:
        figures[f"{benchmark}/256x256x4/bf16/torch_channels_last"] = (bf16, peer(peer_model, "bf16", "channels_last"))
    harness.compare(figures, "images/s", larger_is_better=True)
