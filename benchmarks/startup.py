"""One image (480 x 360, PNG) segmented by a process that was not there before: the whole time from start to end."""
# targets: sectile_dataset_image_folder sectile_model_unet sectile_model_fast_scnn sectile_loss_cross_entropy sectile_metric_iou sectile_optimizer_adamw sectile_schedule_constant sectile_sampler_shuffle sectile_transform_normalize sectile_transform_random_crop
# data: camvid
import json
import os
import subprocess
import sys
import tempfile

import harness

PEERS = os.path.join(os.path.dirname(os.path.abspath(__file__)), "peers")
CAMVID = os.path.join(harness.DATA, "camvid")
IMAGE = os.path.join(CAMVID, "test", sorted(os.listdir(os.path.join(CAMVID, "test")))[0])
CLASSES = ["sky", "building", "pole", "road", "pavement", "tree", "sign", "fence", "car", "pedestrian", "bicyclist"]
WIDTHS = [16, 32, 64, 128]


def checkpoint(folder, model):
    """Of a network that was trained for one step: what it says is no matter here."""
    spec = {
        "data": {"train": {"type": "image_folder", "root": CAMVID, "images": "train", "masks": "trainannot",
                           "classes": [{"name": name} for name in CLASSES], "ignore": [11], "limit": 2}},
        "transforms": {"train": [{"type": "random_crop", "size": [128, 128]}, {"type": "normalize"}],
                       "val": [{"type": "normalize"}]},
        "model": model, "loss": [{"type": "cross_entropy"}], "metrics": [{"type": "iou"}],
        "train": {"epochs": 1, "batch_size": 2},
    }
    file = os.path.join(folder, model["type"] + ".json")
    with open(file, "w") as out:
        json.dump(spec, out)
    run = os.path.join(folder, model["type"])
    subprocess.run([harness.SECTILE, "train", file, "-o", run, "--quiet"], check=True, stdout=subprocess.DEVNULL)
    return os.path.join(run, "last.pth")


def once(*command):
    def run():
        seconds, _, _ = harness.run(command, watch_memory=False)
        return seconds * 1e3, memory
    _, memory, _ = harness.run(command)  # also the warm-up: files are in the page cache afterwards
    return run


with tempfile.TemporaryDirectory() as folder:
    def ours(model):
        return once(harness.SECTILE, "predict", checkpoint(folder, model), IMAGE, "-o", os.path.join(folder, "out"),
                    "--no-overlay", "--overwrite", "--quiet")

    def peer(script, *words):
        weights = os.path.join(folder, script + ".pth")
        program = os.path.join(PEERS, script)
        subprocess.run([sys.executable, program, "make", weights, *words], check=True)
        return once(sys.executable, program, weights, IMAGE, os.path.join(folder, "peer.png"), *words)

    harness.compare({
        "startup/unet/fp32/torch": (ours({"type": "unet", "widths": WIDTHS}), peer("predict_torch.py", *map(str, WIDTHS))),
        "startup/light/fp32/torchvision": (ours({"type": "fast_scnn"}), peer("predict_torchvision.py")),
    }, "ms", larger_is_better=False)
