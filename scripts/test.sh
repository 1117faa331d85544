#!/usr/bin/env bash
# All checks that a change must pass. scripts/test.sh [PRESET [CMAKE_ARGUMENT]…]; PRESET: release, dev, asan, asan-ground, tsan, fuzz, cuda.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
source scripts/common.sh

preset=${1:-release}
shift $(($# ? 1 : 0))
grep -q "\"configurePreset\": \"$preset\"" CMakePresets.json ||
  fail "there is no preset \"$preset\" in CMakePresets.json; what there is:" "cmake --list-presets"
[[ $preset != cuda ]] || export SECTILE_CUDA=1
[[ $preset != fuzz ]] || export SECTILE_FUZZ=1
export CMAKE_BUILD_PARALLEL_LEVEL=${CMAKE_BUILD_PARALLEL_LEVEL:-$(compilers_at_once)}

# Version 14, as in Debian 12: other versions format some code differently.
check_format() {
  local tool found=
  for tool in clang-format-14 clang-format; do
    if "$tool" --version 2>/dev/null | grep -q 'version 14\.'; then
      found=$tool
      break
    fi
  done
  if [[ -z $found ]]; then
    echo "not checked: there is no clang-format 14 here (apt-get install clang-format-14)"
    return 0
  fi
  find . \( -name .git -o -name .deps -o -path ./build -o -path ./runs \) -prune -o \
    -type f \( -name '*.cpp' -o -name '*.h' -o -name '*.cu' \) -print0 | xargs -0 "$found" --dry-run -Werror
}

phase set-up scripts/setup.sh
phase format check_format
phase configure cmake --preset "$preset" "$@"
phase build cmake --build --preset "$preset"
phase test ctest --preset "$preset" --no-tests=error
echo "== all passed in $SECONDS s"
