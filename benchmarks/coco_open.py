"""Opening an instances file of 5,000 images and 35,000 polygons; and of its masks on one thread: polygons to run
lengths, and IoU of run lengths."""
# targets: bench_coco
import json
import os
import subprocess
import sys
import tempfile

import harness

FOLDER = os.path.dirname(os.path.abspath(__file__))
PEER, SET = os.path.join(FOLDER, "peers/coco.py"), os.path.join(FOLDER, "peers/coco_set.py")
PROGRAM = os.path.join(os.path.dirname(harness.SECTILE), "bench_coco")
IMAGES = int(os.environ.get("BENCH_IMAGES", 5000))


def opened(*command):
    def run():
        facts = json.loads(harness.run([*command], watch_memory=False)[2])
        return facts["seconds"] * 1e3, facts["beside_mib"]
    return run


class Masks:
    """Both figures come from one run."""

    def __init__(self, *command):
        self.command, self.facts = command, None

    def run(self, part):
        if part == "encode":
            self.facts = json.loads(harness.run([*self.command], watch_memory=False, env={"OMP_NUM_THREADS": "1"})[2])
        return self.facts[part] * 1e3, 0


with tempfile.TemporaryDirectory() as folder:
    for name, more in (("polygons", ["polygons"]), ("rle", [])):
        subprocess.run([sys.executable, SET, os.path.join(folder, name), str(IMAGES), *more], check=True)
    polygons, results = os.path.join(folder, "polygons/truth.json"), os.path.join(folder, "rle/results.json")
    ours, peer = Masks(PROGRAM, "masks", polygons, results), Masks(sys.executable, PEER, "masks", polygons, results)
    figures = {"coco_open/polygons/-/pycocotools": (opened(PROGRAM, "open", polygons), opened(sys.executable, PEER, "open", polygons))}
    for part in ("encode", "iou"):
        figures[f"coco_open/{part}/-/pycocotools"] = (lambda part=part: ours.run(part), lambda part=part: peer.run(part))
    harness.compare(figures, "ms", larger_is_better=False)
    assert ours.facts["area"] == peer.facts["area"] and abs(ours.facts["sum"] - peer.facts["sum"]) < 1e-6, (ours.facts, peer.facts)
