"""Training Mask R-CNN with a ResNet-50, frozen batch norm and two frozen stages: batches of 2 images of 512 x 512 with 8
objects each, SGD with momentum; against torchvision with the same weights.

BENCH_WARM_UP=1, BENCH_STEPS=3: steps of each run, untimed and timed; BENCH_SIZE=512: of the images.
"""
# targets: sectile_dataset_coco_instances sectile_model_mask_rcnn sectile_backbone_resnet sectile_loss_mask_rcnn sectile_metric_coco_ap sectile_optimizer_sgd sectile_schedule_constant sectile_sampler_sequential sectile_transform_normalize
import json
import os
import statistics
import subprocess
import sys
import tempfile

import harness

WARM_UP, STEPS = int(os.environ.get("BENCH_WARM_UP", 1)), int(os.environ.get("BENCH_STEPS", 3))
SIZE = os.environ.get("BENCH_SIZE", "512")
PEER = os.path.join(os.path.dirname(os.path.abspath(__file__)), "peers/train_instances.py")
losses = {}  # of the last run of each, by step


def spec(folder):
    return {
        "task": "instance",
        "data": {"train": {"type": "coco_instances", "annotations": os.path.join(folder, "objects.json"), "images": folder}},
        "transforms": {"train": [{"type": "normalize"}]},
        "model": {"type": "mask_rcnn", "backbone": {"type": "resnet50", "norm": "frozen_batch", "freeze": 2},
                  "weights": os.path.join(folder, "weights.pth")},
        "loss": [{"type": "mask_rcnn"}],
        "metrics": [{"type": "coco_ap"}],
        "optimizer": {"type": "sgd", "lr": 1e-3, "momentum": 0.9, "weight_decay": 1e-4},
        "schedule": {"type": "constant"},
        "sampler": {"type": "sequential"},
        "train": {"epochs": 1, "batch_size": 2, "workers": 2},
    }


def step_time(ends):
    return statistics.median(b - a for a, b in list(zip([0, *ends], ends))[WARM_UP:]) * 1e3


def ours(folder):
    def once():
        with tempfile.TemporaryDirectory() as made:
            with open(os.path.join(made, "spec.json"), "w") as file:
                json.dump(spec(folder), file)
            _, peak, _ = harness.run([harness.SECTILE, "train", file.name, "-o", os.path.join(made, "run"), "--quiet"])
            with open(os.path.join(made, "run/log.jsonl")) as file:
                steps = [line for line in map(json.loads, file) if line["event"] == "step"]
        losses["ours"] = [step["loss"] for step in steps]
        return step_time([step["seconds"] for step in steps]), peak
    return once


def peer(folder):
    def once():
        _, peak, out = harness.run([sys.executable, PEER, folder, SIZE])
        facts = json.loads(out.splitlines()[-1])  # after what pycocotools prints
        losses["peer"] = facts["losses"]
        return step_time(facts["ends"]), peak
    return once


with tempfile.TemporaryDirectory() as folder:
    subprocess.run([sys.executable, PEER, "make", folder, str(2 * (WARM_UP + STEPS)), SIZE], check=True)
    harness.compare({"train_instances/mask_rcnn_r50_fpn/fp32/torchvision": (ours(folder), peer(folder))}, "ms", larger_is_better=False)
print(json.dumps({"losses": losses["ours"], "peer_losses": losses["peer"]}))
# Both draw anchors and proposals at random.
if abs(losses["ours"][0] / losses["peer"][0] - 1) > 0.02:
    raise SystemExit("the losses of the first step differ by more than 2 %")
