"""Metrics beside what Python's users count with: mIoU of 60 label maps of CamVid by numpy's bincount, of int64 as an arg
max gives them to both (and, as miou_of_bytes, with bytes as they are in files for numpy alone); panoptic quality of 50
images of 1024 x 2048 by panopticapi, of maps in memory in one thread and from PNG files to the table on all cores.
Its last lines are the peak memory of `sectile evaluate` of 5,000 label maps, beside that of 100.

BENCH_PARTS="miou pq memory": which. Python needs panopticapi: git+https://github.com/cocodataset/panopticapi
"""
# targets: bench_metrics sectile_metric_iou sectile_metric_pixel_accuracy
# data: camvid
import json
import os
import subprocess
import sys
import tempfile

import harness

PEER = os.path.join(os.path.dirname(os.path.abspath(__file__)), "peers/metrics.py")
PROGRAM = os.path.join(os.path.dirname(harness.SECTILE), "bench_metrics")
PARTS = os.environ.get("BENCH_PARTS", "miou pq memory").split()
CLASSES = 11
results = {}


def once(name, threads, *command):
    def run():
        _, _, out = harness.run([*command], watch_memory=False, env={"OMP_NUM_THREADS": str(threads)})
        facts = json.loads(out)
        results.setdefault(name, set()).add(round(facts["result"], 10))
        return facts["seconds"] * 1e3, 0
    return run


def pair(name, threads, *words):
    return (once(name, threads, PROGRAM, name, *words, *([str(threads)] if name == "pq_files" else [])),
            once(name, threads, sys.executable, PEER, name, *words))


def made(folder, *words):
    subprocess.run([sys.executable, PEER, words[0], folder, *words[1:]], check=True)
    return os.path.join(folder, "truth"), os.path.join(folder, "found")


def peak_mib(truth, found, *more):
    """Of the whole program, by the kernel's count."""
    process = subprocess.Popen([harness.SECTILE, "evaluate", "--truth", truth, "--predictions", found, "--classes",
                                str(CLASSES), "--ignore", str(CLASSES), "--quiet", "--threads", "2", *more], stdout=subprocess.DEVNULL)
    _, status, used = os.wait4(process.pid, 0)
    if status:
        raise SystemExit(f"sectile evaluate ended with {status}")
    return used.ru_maxrss / 1024


with tempfile.TemporaryDirectory() as folder:
    figures = {}
    camvid = os.path.join(harness.DATA, "camvid")
    if "miou" in PARTS:
        maps = made(os.path.join(folder, "camvid"), "make_label_maps", camvid, "60")
        ours, numpy = pair("miou", 1, *maps, str(CLASSES), "int64")
        figures["metrics/miou/-/numpy"] = ours, numpy
        figures["metrics/miou_of_bytes/-/numpy"] = ours, pair("miou", 1, *maps, str(CLASSES), "uint8")[1]
    if "pq" in PARTS:
        files = [path + ".json" for path in made(os.path.join(folder, "panoptic"), "make_panoptic", "50")]
        figures["metrics/pq_count/-/panopticapi"] = pair("pq_count", 1, *files)
        figures["metrics/pq_files/-/panopticapi"] = pair("pq_files", os.cpu_count(), *files)
    harness.compare(figures, "ms", larger_is_better=False)
    for name, values in results.items():
        print(json.dumps({"name": f"metrics/{name}/result", "values": sorted(values)}))
    if "memory" in PARTS:
        few = made(os.path.join(folder, "few"), "make_label_maps", camvid, "100")
        many = made(os.path.join(folder, "many"), "make_label_maps", camvid, "5000")
        for name, more in (("table", []), ("report", ["--report"])):
            peaks = [peak_mib(*maps, *more, *([os.path.join(folder, f"{i}.json")] if more else []))
                     for i, maps in enumerate((few, many))]
            print(json.dumps({"name": f"metrics/memory_{name}", "unit": "MiB", "of_100_maps": round(peaks[0], 1),
                              "of_5000_maps": round(peaks[1], 1), "ratio": round(peaks[1] / peaks[0], 3)}), flush=True)
