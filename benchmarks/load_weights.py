"""Loading 500 MB of weights into a network that is there: the time, and the peak of memory as a share of the network."""
# targets: bench_load_weights
import importlib.util
import json
import os
import statistics
import subprocess
import sys
import tempfile

import harness

PEER = os.path.join(os.path.dirname(os.path.abspath(__file__)), "peers/load_weights.py")
PROGRAM = os.path.join(os.path.dirname(harness.SECTILE), "bench_load_weights")
FORMATS = ["pth"] + ["safetensors"] * bool(importlib.util.find_spec("safetensors"))
shares = {}  # of the peak while loading in the network's size, by case


def once(case, file, *command):
    network = os.path.getsize(file) / 2**20

    def run():
        _, _, out = harness.run([*command, file], watch_memory=False)
        facts = json.loads(out)
        peak = network + facts["beside_mib"]
        shares.setdefault(case, []).append(peak / network)
        return facts["seconds"] * 1e3, peak
    run()  # the file is in the page cache afterwards
    return run


with tempfile.TemporaryDirectory() as folder:
    figures = {}
    for ending in FORMATS:
        file = os.path.join(folder, "w." + ending)
        subprocess.run([sys.executable, PEER, "make", file], check=True)
        name = f"load_weights/{ending}/fp32/torch"
        figures[name] = (once(name + " ours", file, PROGRAM), once(name + " peer", file, sys.executable, PEER))
    harness.compare(figures, "ms", larger_is_better=False)
    for name in figures:
        ours, peer = (statistics.median(shares[f"{name} {side}"]) for side in ("ours", "peer"))
        print(json.dumps({"name": name.replace("load_weights/", "load_weights/memory/"), "value": round(ours, 3),
                          "unit": "of the network", "peer_value": round(peer, 3), "ratio": round(peer / ours, 3)}))
