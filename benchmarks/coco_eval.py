"""COCO's AP of 5,000 images, 35,000 objects and 150,000 detections, from opening the files to the table: the time, and
the peak of memory above what the process held before."""
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
PEERS = ["pycocotools", "faster-coco-eval", "hotcoco", "ultrafast"]
aps = {}


def once(kind, threads, *command):
    env = {"RAYON_NUM_THREADS": str(threads), "OMP_NUM_THREADS": str(threads)}

    def run():
        _, _, out = harness.run([*command], watch_memory=False, env=env)
        facts = json.loads(out)
        aps.setdefault(kind, set()).add(round(facts.get("ap", facts.get("result")), 10))
        return facts["seconds"] * 1e3, facts["beside_mib"]
    return run


with tempfile.TemporaryDirectory() as folder:
    subprocess.run([sys.executable, SET, folder, str(IMAGES)], check=True)
    truth, results = (os.path.join(folder, name + ".json") for name in ("truth", "results"))
    figures = {}
    for kind in ("segm", "bbox"):
        for threads in (1, 2):
            ours = once(kind, threads, PROGRAM, "evaluate", truth, results, kind, str(threads))
            for peer in PEERS:
                if threads == 1 or peer in ("hotcoco", "ultrafast"):  # the others have one thread
                    figures[f"coco_eval/{kind}-{threads}threads/-/{peer}"] = (
                        ours, once(kind, threads, sys.executable, PEER, "evaluate", peer, truth, results, kind))
    harness.compare(figures, "ms", larger_is_better=False)
    for kind, values in aps.items():
        print(json.dumps({"name": f"coco_eval/{kind}/ap", "values": sorted(values)}))
