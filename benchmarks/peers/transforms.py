"""Times of transforms of albumentations in one thread, as bench_transforms measures them: transforms.py IMAGE LABELS.

Each line of standard input is a request, {"class": name, "options": {...}, "seconds": how long at least}, and each line
of standard output its answer, {"ms": per call, "calls": how many}. Transforms are called alone, without Compose, which
would add its own time.
"""
import json
import sys
import time

import albumentations
import cv2
import numpy as np
from PIL import Image

WARM_UP, LEAST_CALLS = 3, 5
cv2.setNumThreads(1)
np.ones(1 << 24, np.uint8)  # from here on, memory that is freed stays with the process, as in bench_transforms
IMAGE, MASK = (np.array(Image.open(file)) for file in sys.argv[1:3])


def measured(transform, more, seconds):
    for _ in range(WARM_UP):
        transform(image=IMAGE, mask=MASK, **more)
    calls, start = 0, time.perf_counter()
    while True:
        transform(image=IMAGE, mask=MASK, **more)
        calls += 1
        passed = time.perf_counter() - start
        if calls >= LEAST_CALLS and passed >= seconds:
            return {"ms": passed * 1e3 / calls, "calls": calls}


for line in sys.stdin:
    request = json.loads(line)
    options = {key: tuple(value) if isinstance(value, list) else value for key, value in request["options"].items()}
    transform = getattr(albumentations, request["class"])(**options, p=1)
    mosaic = request["class"] == "Mosaic"  # the other images of it are given with each call
    more = {"mosaic_metadata": [{"image": IMAGE, "mask": MASK}] * 3} if mosaic else {}
    print(json.dumps(measured(transform, more, request["seconds"])), flush=True)
