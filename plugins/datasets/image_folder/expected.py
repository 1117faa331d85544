"""Counts of pixels per class in real data, read with Pillow: expected.json, which image_folder_test.cpp compares with.

Run: SECTILE_DATA=<folder with camvid/ and isbi2012/> python expected.py > expected.json
"""
import json
import os
import pathlib

import numpy as np
from PIL import Image

data = pathlib.Path(os.environ["SECTILE_DATA"])
camvid = np.zeros(12, np.int64)
for file in sorted((data / "camvid/testannot").glob("*.png")):
    camvid += np.bincount(np.asarray(Image.open(file)).ravel(), minlength=12)[:12]
isbi = [sum(int((np.asarray(Image.open(data / f"isbi2012/label/{i}.png")) == value).sum()) for i in range(20, 30))
        for value in (0, 255)]
first = np.asarray(Image.open(sorted((data / "camvid/test").glob("*.png"))[0]).convert("RGB"))
print(json.dumps({"camvid_test": camvid.tolist(), "isbi_last_ten": isbi,
                  "camvid_test_first_mean": first.reshape(-1, 3).mean(0).tolist()}))
