"""The held-out samples of each fold by scikit-learn: expected.json, which k_fold_test.cpp compares with.

Run: python expected.py > expected.json
"""
import json

import numpy as np
from sklearn.model_selection import KFold

cases = []
for size, folds in [(10, 5), (10, 3), (11, 4), (7, 7), (30, 4), (2, 2)]:
    parts = KFold(folds).split(np.zeros(size))
    cases.append({"size": size, "folds": folds, "val": [val.tolist() for _, val in parts]})
print(json.dumps(cases))
