"""Trains Fast-SCNN on CamVid with each loss that is about imbalance or regions, and writes choosing-a-loss.md.

    SECTILE_DATA=DIR python3 docs/choosing-a-loss.py [BIN/sectile] [FOLDER]

FOLDER (runs/choosing-a-loss) keeps the runs; one that is complete is not run again, so remove it if a loss has changed.
The four best losses are run with three seeds.
"""
import json
import os
import statistics
import subprocess
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
PROGRAM = sys.argv[1] if len(sys.argv) > 1 else os.path.join(ROOT, "build/release/bin/sectile")
FOLDER = sys.argv[2] if len(sys.argv) > 2 else os.path.join(ROOT, "runs/choosing-a-loss")
SPEC = os.path.join(ROOT, "specs/camvid_fast_scnn.json")
EPOCHS, BATCH, SEEDS, BEST = 8, 4, (1, 2, 3), 4
SMALL = ("pole", "sign", "fence", "pedestrian", "bicyclist")

CE = {"type": "cross_entropy"}
LOSSES = {
    "cross entropy": [CE],
    "cross entropy, median frequency": [{**CE, "class_balance": "median_frequency"}],
    "cross entropy, inverse frequency": [{**CE, "class_balance": "inverse"}],
    "cross entropy, effective number": [{**CE, "class_balance": "effective_number"}],
    "focal": [{"type": "focal"}],
    "OHEM cross entropy": [{"type": "ohem_cross_entropy"}],
    "top-k cross entropy": [{"type": "topk_cross_entropy"}],
    "Dice": [{"type": "dice"}],
    "Dice of nnU-Net + cross entropy": [CE, {"type": "dice", "preset": "nnunet"}],
    "Dice + cross entropy": [CE, {"type": "dice"}],
    "generalized Dice": [{"type": "generalized_dice"}],
    "Jaccard": [{"type": "jaccard"}],
    "Tversky (beta 0.7)": [{"type": "tversky", "alpha": 0.3, "beta": 0.7}],
    "focal Tversky": [{"type": "focal_tversky"}],
    "Lovász": [{"type": "lovasz"}],
    "Lovász + cross entropy": [CE, {"type": "lovasz"}],
    "MCC": [{"type": "mcc"}],
    "boundary + cross entropy": [CE, {"type": "boundary", "weight": 0.01}],
    "Hausdorff + Dice": [{"type": "dice"}, {"type": "hausdorff", "weight": 0.01}],
    "clDice of poles + cross entropy": [CE, {"type": "cldice", "weight": 0.5, "include": ["pole"], "auxiliary": 0}],
}


def evaluation(folder):
    """Of the last epoch: values, and the IoU of each class; None if the run is not complete."""
    try:
        with open(os.path.join(folder, "log.jsonl")) as log:
            events = [json.loads(line) for line in log]
    except OSError:
        return None
    ends = [e for e in events if e["event"] == "evaluation" and e["epoch"] == EPOCHS]
    return ends[-1] if ends else None


def run(name, seed):
    folder = os.path.join(FOLDER, f"{name}-{seed}".replace(" ", "_"))
    done = evaluation(folder)
    if done is None:
        print(f"{name}, seed {seed}", flush=True)
        given = {"/loss": LOSSES[name], "/train/epochs": EPOCHS, "/train/batch_size": BATCH,
                 "/train/validate_every": EPOCHS, "/train/seed": seed}
        sets = [word for key, value in given.items() for word in ("--set", f"{key}={json.dumps(value)}")]
        subprocess.run([PROGRAM, "train", SPEC, *sets, "-o", folder, "--overwrite", "--quiet"], check=True)
        done = evaluation(folder)
    return done


def miou(result):
    return result["values"]["iou/mIoU"]


def small(result):
    """Mean IoU of the classes that are thin or rare."""
    with open(os.path.join(ROOT, "specs/camvid_classes.json")) as file:
        names = [one["name"] for one in json.load(file)["classes"]]
    return statistics.mean(result["per_class"]["iou/IoU"][names.index(name)] or 0 for name in SMALL)


def spread(values):
    return f"{statistics.mean(values):.3f} ({min(values):.3f} to {max(values):.3f})"


first = {name: run(name, SEEDS[0]) for name in LOSSES}
order = sorted(first, key=lambda name: -miou(first[name]))
best = {name: [run(name, seed) for seed in SEEDS] for name in order[:BEST]}

TEXT = f"""# Choosing a loss

`sectile describe loss NAME` says what a loss computes, whose rules it follows and what its options are.

* Most published recipes train with cross entropy (MMSegmentation's), or with cross entropy and Dice (nnU-Net's), for tens
  of thousands of steps. This is where to start if you train that long.
* If training is short, compare it with a loss over regions alone (Dice, Tversky, MCC, Jaccard), which counts a class of
  few pixels as much as one of many. Below, they find trees and pavement, which cross entropy does not yet.
* If small classes matter, compare it with cross entropy with `class_balance`, and with Lovász. Below, they are among the few
  that find any of them, at the cost of frequent classes. In a sum with cross entropy, mind the weights: the sums below
  with a weight of 1 begin as cross entropy alone does, and a Hausdorff loss of weight 0.01 outweighs Dice.
* clDice is for thin structures, and boundary and Hausdorff losses are for outlines; each is added to another loss.

The numbers below are of short runs of one network on one small dataset: Fast-SCNN from scratch on CamVid
(`specs/camvid_fast_scnn.json`, 120 images, 11 classes), {EPOCHS} epochs of batches of {BATCH}: 240 steps, the first 50 of them
warm-up. They are evaluated on 30 images after the last epoch. So they show how fast a network begins to learn with each
loss, and not where it ends: choose by runs of your own. All other options are the spec's, also the learning rate, which is
not tuned to any of the losses. A run takes about two minutes on two cores; with Lovász, boundary and Hausdorff losses,
which sort pixels or measure distances, several times as long.

## Every loss, one seed

*Small classes*: the mean IoU of {", ".join(SMALL)}.

| Loss | in the spec | mIoU | small classes |
|---|---|---|---|
"""

with open(os.path.join(ROOT, "docs/choosing-a-loss.md"), "w") as page:
    page.write(TEXT)
    for name in order:
        result = first[name]
        page.write(f"| {name} | `{json.dumps(LOSSES[name])}` | {miou(result):.3f} | {small(result):.3f} |\n")
    page.write(f"\n## The best {BEST}, {len(SEEDS)} seeds\n\nMean, and from the lowest to the highest. Seed {SEEDS[0]}, "
               "above, chose these losses, which favors them a little.\n\n"
               "| Loss | mIoU | small classes |\n|---|---|---|\n")
    for name, results in best.items():
        page.write(f"| {name} | {spread([miou(r) for r in results])} | {spread([small(r) for r in results])} |\n")
    page.write("\nMade by `docs/choosing-a-loss.py`.\n")
