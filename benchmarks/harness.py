"""Runs programs in turns and compares them: wall time, memory of the process tree, one JSON line per figure."""
import json
import os
import statistics
import subprocess
import threading
import time

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
SECTILE = os.path.join(ROOT, "build/release/bin/sectile")
DATA = os.environ.get("SECTILE_DATA", "")
ROUNDS = int(os.environ.get("BENCH_ROUNDS", 5))
THREADS = int(os.environ.get("BENCH_THREADS", 2))


def _tree(pid):
    try:
        with open(f"/proc/{pid}/task/{pid}/children") as file:
            children = file.read().split()
    except OSError:
        return []
    return [pid] + [below for child in children for below in _tree(int(child))]


def _pss_mib(pid):
    total = 0
    for one in _tree(pid):
        try:
            with open(f"/proc/{one}/smaps_rollup") as file:
                total += next(int(line.split()[1]) for line in file if line.startswith("Pss:"))
        except (OSError, StopIteration):
            pass
    return total / 1024


def run(command, watch_memory=True, env=None):
    """Seconds, peak MiB and standard output of a program; its error output is shown when it fails."""
    env = {**os.environ, "OMP_NUM_THREADS": str(THREADS), "MKL_NUM_THREADS": str(THREADS), **(env or {})}
    start = time.perf_counter()
    process = subprocess.Popen(command, env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    peak, ended = 0.0, threading.Event()

    def watch():
        nonlocal peak
        while not ended.is_set():
            peak = max(peak, _pss_mib(process.pid))
            ended.wait(0.1)

    watcher = threading.Thread(target=watch)
    if watch_memory:
        watcher.start()
    out, errors = process.communicate()
    seconds = time.perf_counter() - start
    ended.set()
    if watch_memory:
        watcher.join()
    if process.returncode != 0:
        raise SystemExit(f"{' '.join(command)} ended with {process.returncode}:\n{errors}")
    return seconds, peak, out


def compare(figures, unit, larger_is_better, by_round=False):
    """figures: {name: (ours, peer)}, each a function that runs once and returns (value, peak MiB). All take turns.
    by_round: the ratio is the median of the ratios of the rounds, and not the ratio of the medians; for figures of
    which the machine's speed changes more between rounds than within one. Returns {name: ratio}."""
    programs = {id(f): f for pair in figures.values() for f in pair}
    values, peaks = {key: [] for key in programs}, {key: [] for key in programs}
    for _ in range(ROUNDS):
        for key, program in programs.items():
            value, peak = program()
            values[key].append(value)
            peaks[key].append(peak)

    def ratio(ours, peer):
        return ours / peer if larger_is_better else peer / ours

    ratios = {}
    for name, pair in figures.items():
        ours, peer = (statistics.median(values[id(f)]) for f in pair)
        rounds = [ratio(*both) for both in zip(*(values[id(f)] for f in pair))]
        memory = [round(statistics.median(peaks[id(f)])) for f in pair]
        line = {"name": name, "value": round(ours, 3), "unit": unit, "peer_value": round(peer, 3),
                "ratio": round(statistics.median(rounds) if by_round else ratio(ours, peer), 3),
                "peak_mib": memory[0], "peer_peak_mib": memory[1], "rounds": ROUNDS,
                "range": [round(min(values[id(pair[0])]), 3), round(max(values[id(pair[0])]), 3)],
                "peer_range": [round(min(values[id(pair[1])]), 3), round(max(values[id(pair[1])]), 3)]}
        print(json.dumps(line), flush=True)
        ratios[name] = line["ratio"]
    return ratios
