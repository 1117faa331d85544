"""Expected counts of panoptic_quality on 200 random maps made by formula.py, by panopticapi. Writes panoptic.json.

    python panoptic.py PATH_OF_A_CHECKOUT_OF_cocodataset/panopticapi [FOLDER_OF_COCO_PANOPTIC_MINI]

With the folder, also those of its images, for which the prediction is the truth itself: turned by one row and two columns,
without crowds, and every fifth segment of the category of the one before.

The checkout was of commit 7bb4655548f98f3fedc07bf37e9040a992b054b0; numpy was 2.4, Pillow 13.0.
"""
import contextlib
import io
import json
import pathlib
import sys
import tempfile

import numpy as np
from PIL import Image

HERE = pathlib.Path(__file__).parent
sys.path.insert(0, str(HERE.parent))
from formula import uniform  # noqa: E402

CASES, CLASSES = 200, 5


def made(case):
    """Maps of positions of segments, -1 for void, and the segments: (id, category, crowd)."""
    head = uniform((17, case), 6 + 2 * 6 * 3)
    height, width = 1 + int(head[0] * 24), 1 + int(head[1] * 24)
    truths, found, level = int(head[2] * 7), int(head[3] * 7), 0.3 + 0.7 * head[4]
    runs = head[5]

    def segments(count, numbers, known):
        listed = []
        for k in range(count):
            id_, category, third = numbers[3 * k:3 * k + 3]
            category = int(category * CLASSES)
            if known is not None and k < len(known) and third < 0.7:
                category = known[k][1]
            listed.append((1 + k * 70001 + int(id_ * 60000), category, known is None and third < 0.2))
        return listed

    of_truth = segments(truths, head[6:24], None)
    of_found = segments(found, head[24:42], of_truth)
    u = uniform((18, case), 3 * height * width).reshape(-1, 3)
    a, b = np.empty(height * width, np.int64), np.empty(height * width, np.int64)
    for p, (keep, first, second) in enumerate(u):
        a[p] = a[p - 1] if p > 0 and keep < runs else int(first * (truths + 1)) - 1
        b[p] = (a[p] if a[p] < found else -1) if second < level else int((second - level) / (1 - level) * (found + 1)) - 1
    return a.reshape(height, width), b.reshape(height, width), of_truth, of_found


def written(folder, positions, segments):
    """The PNG and annotation of a map; segments without pixels are not listed, which panopticapi demands."""
    ids = np.array([one[0] for one in segments] + [0])[positions]
    Image.fromarray(np.stack([ids % 256, ids // 256 % 256, ids // 65536], -1).astype(np.uint8)).save(folder / "map.png")
    listed = [{"id": i, "category_id": c, "iscrowd": int(crowd), "area": int((ids == i).sum())} for i, c, crowd in segments]
    return {"image_id": 1, "file_name": "map.png", "segments_info": [one for one in listed if one["area"] > 0]}


def coco(folder):
    """Counts per category, and means, of COCO's two example images; see above."""
    from panopticapi.evaluation import pq_compute_single_core
    content = json.loads((folder / "panoptic_examples.json").read_text())
    categories = {one["id"]: one for one in content["categories"]}
    with tempfile.TemporaryDirectory() as place, contextlib.redirect_stdout(io.StringIO()):
        pairs = []
        for truth in content["annotations"]:
            rgb = np.array(Image.open(folder / "panoptic_examples" / truth["file_name"]))
            Image.fromarray(np.roll(rgb, (1, 2), (0, 1))).save(pathlib.Path(place) / truth["file_name"])
            found = [{**one, "iscrowd": 0} for one in truth["segments_info"]]
            for k in range(4, len(found), 5):
                found[k]["category_id"] = found[k - 1]["category_id"]
            pairs.append((truth, {**truth, "segments_info": found}))
        stat = pq_compute_single_core(0, pairs, str(folder / "panoptic_examples"), place, categories)
    means = {}
    for name, isthing in (("all", None), ("things", True), ("stuff", False)):
        mean = stat.pq_average(categories, isthing)[0]
        means[name] = [float(mean[x]) for x in ("pq", "sq", "rq")] + [mean["n"]]
    return {"means": means, "counts": {str(c): [stat[c].tp, stat[c].fp, stat[c].fn] for c in sorted(categories)
                                       if stat[c].tp + stat[c].fp + stat[c].fn}}


def main(checkout, mini=None):
    sys.path.insert(0, checkout)
    from panopticapi.evaluation import PQStat, pq_compute_single_core
    categories = {c: {"id": c, "isthing": int(c < 3)} for c in range(CLASSES)}
    whole, cases = PQStat(), []
    for case in range(CASES):
        a, b, of_truth, of_found = made(case)
        with tempfile.TemporaryDirectory() as place, contextlib.redirect_stdout(io.StringIO()):
            folders = [pathlib.Path(place) / name for name in ("truth", "found")]
            for folder in folders:
                folder.mkdir()
            pair = (written(folders[0], a, of_truth), written(folders[1], b, of_found))
            stat = pq_compute_single_core(0, [pair], str(folders[0]), str(folders[1]), categories)
        whole += stat
        cases.append([[stat[c].tp, stat[c].fp, stat[c].fn, float(stat[c].iou)] for c in range(CLASSES)])
    means = {name: whole.pq_average(categories, isthing)[0] for name, isthing in (("all", None), ("things", True), ("stuff", False))}
    per_class = [list(one.values()) for one in whole.pq_average(categories, None)[1].values()]
    numbers = [sum(int(row[k]) for case in cases for row in case) for k in range(3)]
    print("matches, false, missed:", numbers, "cases with matches:", sum(any(row[0] for row in case) for case in cases))
    text = "{\n" + f'"classes": {CLASSES},\n"means": ' + json.dumps({k: [float(v[x]) for x in ("pq", "sq", "rq")] + [v["n"]] for k, v in means.items()})
    text += f',\n"coco": {json.dumps(coco(pathlib.Path(mini)))}' if mini else ""
    text += ',\n"per_class": ' + json.dumps([[float(x) for x in row] for row in per_class])
    text += ',\n"cases": [\n' + ",\n".join(json.dumps(case) for case in cases) + "\n]\n}\n"
    HERE.joinpath("panoptic.json").write_text(text)


if __name__ == "__main__":
    main(*sys.argv[1:])
