#!/usr/bin/env bash
# Trains a small model on generated images and segments held-out ones. Builds only what it runs.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
source scripts/common.sh

spec=specs/demo.json
images=specs/demo_images
run=runs/demo
export CMAKE_BUILD_PARALLEL_LEVEL=${CMAKE_BUILD_PARALLEL_LEVEL:-$(compilers_at_once)}

# The plugins that the spec names, as build targets: /model {"type": "unet"} is sectile_model_unet.
plugins_of() {
  python3 - "$1" <<'PYTHON'
import json, sys

KINDS = {"data": "dataset", "transforms": "transform", "model": "model", "backbone": "backbone", "loss": "loss",
         "metrics": "metric", "optimizer": "optimizer", "schedule": "schedule", "sampler": "sampler"}

def targets(value, kind):
    if isinstance(value, list):
        return {name for item in value for name in targets(item, kind)}
    if not isinstance(value, dict):
        return set()
    named = {f"sectile_{kind}_{value['type']}"} if kind and isinstance(value.get("type"), str) else set()
    return named.union(*(targets(item, KINDS.get(key, kind)) for key, item in value.items()))

print("\n".join(sorted(targets(json.load(open(sys.argv[1])), None))))
PYTHON
}

phase set-up scripts/setup.sh
plugins=$(plugins_of "$spec")
phase configure cmake --preset release --log-level=WARNING
# shellcheck disable=SC2086
phase build cmake --build --preset release --target sectile_program sectile-compute $plugins
phase train build/release/bin/sectile train "$spec" -o $run --overwrite
phase predict build/release/bin/sectile predict $run/best.pth $images/*.png -o $run/predictions --overwrite

echo
echo "Done in $SECONDS s. What the model makes of images that it has not seen: $run/predictions"
find $run/predictions -name '*overlay*' | sort | head -4
