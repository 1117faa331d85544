#!/usr/bin/env bash
# Times Sectile against its Python peers: builds what it needs, runs both in turns, prints one JSON line per figure:
#
#   {"name": "BENCH/CASE/PRECISION/PEER", "value", "unit", "peer_value", "ratio", "peak_mib", "peer_peak_mib"}
#
# ratio > 1: Sectile is better. Memory is the proportional set size of the whole process tree, at its largest; of
# load_weights, the network and what is resident beside it; of loss_upsampled, what is in use above the inputs.
#
#   benchmarks/run.sh NAME          one of benchmarks/*.py: startup, train_unet, train_encoder, train_transformer,
#                                   train_instances, inference, inference_instances, loss_upsampled, load_weights, coco_eval,
#                                   coco_open, metrics, transforms
#   SECTILE_DATA=DIR                where camvid/ lies, for startup, train_unet, train_encoder, train_transformer and metrics
#   SECTILE_PYTHON=FILE             a Python that has the peers; otherwise one is installed into .deps/peers (5 GB)
#   BENCH_ROUNDS=N                  how often each program runs; the median counts (5)
#   BENCH_THREADS=N                 OpenMP threads of each (2)
#   BENCH_PRECISION="fp32 bf16"     of training: which; BENCH_WARM_UP=2, BENCH_STEPS=5: its steps, untimed and timed
#   BENCH_PARTS="predict nms"       of inference_instances, metrics and transforms: which; of them and the others, see the top of benchmarks/NAME.py
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
source scripts/common.sh

name=${1:-}
[[ -n $name && -f benchmarks/$name.py ]] && grep -q '^# targets: ' "benchmarks/$name.py" ||
  fail "usage: benchmarks/run.sh NAME" "known: $(cd benchmarks && grep -l '^# targets: ' ./*.py | sed 's|./||; s|\.py||' | xargs)"
! grep -q '^# data: camvid' "benchmarks/$name.py" || [[ -n ${SECTILE_DATA:-} && -d $SECTILE_DATA/camvid ]] ||
  fail "SECTILE_DATA must name a folder with camvid/ in it"

scripts/setup.sh
cmake --preset release >/dev/null
# shellcheck disable=SC2046
ninja -C build/release sectile_program sectile-compute $(sed -n 's/^# targets: //p' "benchmarks/$name.py") >&2

python=${SECTILE_PYTHON:-.deps/peers/bin/python}
if [[ ! -x $python ]]; then
  echo "benchmarks: installing the peers into .deps/peers" >&2
  python3 -m venv .deps/peers
  .deps/peers/bin/pip install -q -r benchmarks/peers/requirements.txt >&2
fi
exec "$python" "benchmarks/$name.py"
