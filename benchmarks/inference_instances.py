"""Mask R-CNN from the pixels of an image to its objects with masks of the image's size, and what it is made of: RoIAlign,
non-maximum suppression, and masks pasted into the image as COCO's run lengths; against torchvision with the same weights.

BENCH_PARTS="predict roi_align nms paste_rle": which; BENCH_WARM_UP=1, BENCH_RUNS=3: predictions of each process, untimed
and timed; of the rest, a multiple.
"""
# targets: bench_instances sectile_model_mask_rcnn sectile_backbone_resnet sectile_transform_resize sectile_transform_normalize sectile_optimizer_adamw sectile_schedule_constant sectile_sampler_shuffle
import json
import os
import statistics
import subprocess
import sys
import tempfile

import harness

WARM_UP, RUNS = int(os.environ.get("BENCH_WARM_UP", 1)), int(os.environ.get("BENCH_RUNS", 3))
PEER = os.path.join(os.path.dirname(os.path.abspath(__file__)), "peers/instances.py")
PROGRAM = os.path.join(os.path.dirname(harness.SECTILE), "bench_instances")
# What bin/sectile sets for predict, before it starts the program that computes.
OURS = {"OMP_WAIT_POLICY": "passive", "MALLOC_MMAP_THRESHOLD_": "1073741824", "MALLOC_TRIM_THRESHOLD_": "2147483647",
        "MALLOC_TOP_PAD_": "268435456"}
THREADS = harness.THREADS


def spec(weights, least_score):
    return {"task": "instance", "data": {"channels": 3, "classes": [{"name": f"class {i}"} for i in range(90)]},
            "transforms": {"val": [{"type": "resize", "shortest_edge": 800, "longest_edge": 1333}, {"type": "normalize"}]},
            "model": {"type": "mask_rcnn", "backbone": {"type": "resnet50"}, "box_score_thresh": least_score,
                      "weights": weights}}


class Pair:
    """Both programs, what they answered last, and how their answers are compared."""

    def __init__(self, action, ours, peer, check, times=1, threads=THREADS):
        self.action, self.check, self.answers = action, check, {}
        timing = [str(WARM_UP * times), str(RUNS * times)]
        of_threads = {"OMP_NUM_THREADS": str(threads), "MKL_NUM_THREADS": str(threads)}
        self.ours = self.once("ours", [PROGRAM, action, *ours, *timing], {**OURS, **of_threads})
        self.peer = self.once("peer", [sys.executable, PEER, action, *peer, *timing], of_threads)

    def once(self, who, command, env):
        def run():
            _, peak, out = harness.run(command, env=env)
            self.answers[who] = json.loads(out)
            return statistics.median(self.answers[who]["ms"]), peak
        return run

    def compare(self, name):
        reason = self.check(self.answers["ours"], self.answers["peer"])
        if reason:
            raise SystemExit(f"{name}: {reason}")


def apart(a, b):
    return max((abs(x - y) for x, y in zip(a, b)), default=0)


def boxes_of(answer):
    return [answer["boxes"][i:i + 4] for i in range(0, len(answer["boxes"]), 4)]


def same_objects(ours, peer):
    """Of an image that has the network's size."""
    if ours["classes"] != peer["classes"]:
        return "the classes differ"
    for what, tolerance in (("scores", 1e-4), ("boxes", 0.05)):
        if apart(ours[what], peer[what]) > tolerance:
            return f"the {what} differ by {apart(ours[what], peer[what])}"
    if sum(map(abs, map(int.__sub__, ours["areas"], peer["areas"]))) > 1e-3 * sum(peer["areas"]):
        return "the masks differ"


def similar_objects(ours, peer):
    """Of one that is resized: by torchvision without rounding to whole numbers, by which some of many nearly equal scores
    change their order."""
    if len(ours["scores"]) != len(peer["scores"]) or apart(ours["scores"], peer["scores"]) > 1e-3:
        return "the scores differ"
    found = sum(any(apart(box, other) < 1 for other in boxes_of(ours)) for box in boxes_of(peer))
    if found < 0.75 * len(peer["scores"]):
        return f"only {found} of {len(peer['scores'])} boxes are the same"


def same_values(ours, peer):
    difference, largest = apart(ours["values"], peer["values"]), max(map(abs, peer["values"]))
    if difference > 1e-5 * largest:
        return f"values differ by {difference}, the largest is {largest}"


def same_boxes(ours, peer):
    return None if ours["kept"] == peer["kept"] else "other boxes stay"


def same_areas(ours, peer):
    differ = sum(abs(a - b) for a, b in zip(ours["areas"], peer["areas"]))
    if len(ours["areas"]) != len(peer["areas"]) or differ > 1e-4 * sum(peer["areas"]):
        return f"{differ} pixels of {sum(peer['areas'])} differ"


def predictions(folder, least):
    pairs = {}
    for image, check in (("large", same_objects), ("image", similar_objects)):
        weights, file = os.path.join(folder, "weights.pth"), os.path.join(folder, image + ".png")
        with open(os.path.join(folder, image + ".json"), "w") as written:
            json.dump(spec(weights, least[image]), written)
        pairs[image] = Pair("predict", [written.name, file], [weights, file, str(least[image])], check)
    return pairs["large"], {"mask_rcnn_r50_fpn": pairs["image"]}


def parts(folder, wanted):
    def pair(action, inputs, check, times, threads=THREADS):
        file = os.path.join(folder, inputs + ".pth")
        return Pair(action, [file], [file], check, times, threads)

    pairs = {}
    if "roi_align" in wanted:
        for action in ("roi_align", "roi_align_backward"):
            for threads in (1, 2):
                pairs[f"{action}-{threads}threads"] = pair(action, "roi_align", same_values, 2, threads)
    if "nms" in wanted:
        for case in ("nms-proposals", "nms-objects", "nms-one_class"):
            pairs[case] = pair("nms", case, same_boxes, 10)
    if "paste_rle" in wanted:
        pairs["paste_rle"] = pair("paste_rle", "paste_rle", same_areas, 2)
    return pairs


wanted = os.environ.get("BENCH_PARTS", "predict roi_align nms paste_rle").split()
with tempfile.TemporaryDirectory() as folder:
    made = subprocess.run([sys.executable, PEER, "make", folder], check=True, stdout=subprocess.PIPE, text=True)
    pairs = {}
    if "predict" in wanted:
        untimed, pairs = predictions(folder, json.loads(made.stdout))
        untimed.ours()
        untimed.peer()
        untimed.compare("mask_rcnn_r50_fpn, an image of the network's size")
    pairs |= parts(folder, wanted)
    for name, pair in pairs.items():
        harness.compare({f"inference_instances/{name}/fp32/torchvision": (pair.ours, pair.peer)}, "ms", larger_is_better=False)
        pair.compare(name)
