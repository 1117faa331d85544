"""The same losses as losses.cpp times, in PyTorch: logits are interpolated to the labels' size first.

    losses.py CLASSES LABELS LOGITS BATCH WARM_UP RUNS cross_entropy|cross_entropy+dice
"""
import json
import sys
import time

import torch
import torch.nn.functional as F

IGNORE = 255


def memory(which):
    with open("/proc/self/status") as status:
        return next(int(line.split()[1]) for line in status if line.startswith(which + ":")) / 1024


def dice_loss(logits, labels, smooth=1.0):
    counted = labels != IGNORE
    target = F.one_hot(labels.masked_fill(~counted, 0), logits.shape[1]).movedim(-1, 1) * counted.unsqueeze(1)
    probabilities = logits.softmax(1) * counted.unsqueeze(1)
    overlap = (probabilities * target).sum((0, 2, 3))
    areas = probabilities.sum((0, 2, 3)) + target.sum((0, 2, 3))
    return 1 - ((2 * overlap + smooth) / (areas + smooth)).mean()


classes, size, low, batch, warm_up, runs = map(int, sys.argv[1:7])
torch.manual_seed(1)
logits = torch.randn(batch, classes, low, low).requires_grad_()
labels = torch.randint(0, classes + 1, (batch, size, size))
labels[labels == classes] = IGNORE

with open("/proc/self/clear_refs", "w") as file:
    file.write("5\n")
before = memory("VmRSS")
times = []
for run in range(-warm_up, runs):
    logits.grad = None
    start = time.perf_counter()
    resized = F.interpolate(logits, size=labels.shape[-2:], mode="bilinear", align_corners=False)
    loss = F.cross_entropy(resized, labels, ignore_index=IGNORE)
    if sys.argv[7] == "cross_entropy+dice":
        loss = loss + dice_loss(resized, labels)
    loss.backward()
    if run >= 0:
        times.append((time.perf_counter() - start) * 1000)
print(json.dumps({"ms": times, "mib": memory("VmHWM") - before, "values": [loss.item(), logits.grad.double().norm().item()]}))
