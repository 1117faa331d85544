"""Losses of logits at a quarter of the labels' size, forward and backward: 150 classes, labels of 512x512, logits of
128x128, batch 4. The peer interpolates the logits. Memory is what was in use above the inputs.

BENCH_WARM_UP=1, BENCH_RUNS=3: of each process, untimed and timed.
"""
# targets: bench_losses sectile_loss_cross_entropy sectile_loss_dice
import json
import os
import statistics
import sys

import harness

SIZES = [*map(str, (150, 512, 128, 4)), os.environ.get("BENCH_WARM_UP", "1"), os.environ.get("BENCH_RUNS", "3")]
PROGRAM = os.path.join(os.path.dirname(harness.SECTILE), "bench_losses")
PEER = os.path.join(os.path.dirname(os.path.abspath(__file__)), "peers/losses.py")
LOSSES = {
    "cross_entropy": ['{"type": "cross_entropy"}'],
    "cross_entropy+dice": ['{"type": "cross_entropy"}', '{"type": "dice"}'],
}


def program(command, answers):
    def run():
        answer = json.loads(harness.run(command, watch_memory=False)[2])
        answers.append(answer["values"])
        return statistics.median(answer["ms"]), answer["mib"]
    return run


for name, losses in LOSSES.items():
    ours, peer = [], []
    harness.compare({f"loss_upsampled/{name}/fp32/torch": (
        program([PROGRAM, *SIZES, *losses], ours), program([sys.executable, PEER, *SIZES, name], peer))},
        "ms", larger_is_better=False)
    for a, b in zip(ours[0], peer[0]):
        if abs(a - b) > 1e-4 * abs(b):
            raise SystemExit(f"{name}: value and norm of the gradient are {ours[0]}, the peer's {peer[0]}")
    if any(answer != ours[0] for answer in ours):
        raise SystemExit(f"{name}: runs differ")
