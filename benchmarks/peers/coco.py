"""Time and memory of Python's readers and evaluators of COCO files, as JSON:

coco.py evaluate LIBRARY TRUTH RESULTS KIND   coco.py open TRUTH   coco.py masks TRUTH RESULTS
"""
import contextlib
import io
import json
import sys
import time


def library(name):
    if name == "pycocotools":
        from pycocotools.coco import COCO
        from pycocotools.cocoeval import COCOeval
    elif name == "faster-coco-eval":
        from faster_coco_eval import COCO, COCOeval_faster as COCOeval
    elif name == "hotcoco":
        from hotcoco import COCO, COCOeval
    else:
        from ultrafast_pycocotools import COCO, COCOeval
    return COCO, COCOeval


def resident_mib(line):
    with open("/proc/self/status") as status:
        return next(int(text.split()[1]) for text in status if text.startswith(line)) / 1024


def measured(work):
    with open("/proc/self/clear_refs", "w") as peak:  # starts anew
        peak.write("5")
    before = resident_mib("VmRSS:")
    start = time.perf_counter()
    with contextlib.redirect_stdout(io.StringIO()):
        facts = work()
    seconds = time.perf_counter() - start
    print(json.dumps({"seconds": seconds, "beside_mib": resident_mib("VmHWM:") - before, **facts}))


def evaluate(name, truth, results, kind):
    coco, evaluator = library(name)

    def work():
        gt = coco(truth)
        dt = gt.loadRes(results) if hasattr(gt, "loadRes") else gt.load_res(results)
        e = evaluator(gt, dt, kind)
        e.evaluate()
        e.accumulate()
        e.summarize()
        return {"ap": float(e.stats[0])}
    measured(work)


def open_file(truth):
    coco, _ = library("pycocotools")
    kept = []
    measured(lambda: kept.append(coco(truth)) or {"annotations": len(kept[0].anns)})


def masks(truth, results):
    """Polygons to run lengths, and IoU of the masks of each image: seconds of each."""
    from pycocotools import mask
    with open(truth) as file:
        content = json.load(file)
    sizes = {image["id"]: (image["height"], image["width"]) for image in content["images"]}
    polygons = [(one["segmentation"], *sizes[one["image_id"]]) for one in content["annotations"]]
    start = time.perf_counter()
    made = [mask.merge(mask.frPyObjects(rings, height, width)) for rings, height, width in polygons]
    encode = time.perf_counter() - start
    by_image = {}
    for one, rle in zip(content["annotations"], made):
        by_image.setdefault(one["image_id"], ([], []))[0].append(rle)
    with open(results) as file:
        for one in json.load(file):
            by_image.setdefault(one["image_id"], ([], []))[1].append(one["segmentation"])
    pairs = [(found, objects, [0] * len(objects)) for objects, found in by_image.values() if objects and found]
    start = time.perf_counter()
    total = sum(float(mask.iou(found, objects, crowd).sum()) for found, objects, crowd in pairs)
    print(json.dumps({"encode": encode, "iou": time.perf_counter() - start, "area": sum(int(mask.area(one)) for one in made), "sum": total}))


{"evaluate": evaluate, "open": open_file, "masks": masks}[sys.argv[1]](*sys.argv[2:])
