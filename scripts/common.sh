# shellcheck shell=bash
# What the scripts share. Sourced, never run.

# Ends with exit code 2: something about the machine has to change first. One sentence, and the command that helps.
fail() {
  echo "$(basename "$0"): $1" >&2
  [[ $# -lt 2 ]] || echo "  $2" >&2
  exit 2
}

# phase NAME COMMAND…: says what runs and how long it took.
phase() {
  local name=$1 started=$SECONDS code=0
  shift
  echo "== $name"
  "$@" || code=$?
  if ((code != 0)); then
    echo "== $name failed after $((SECONDS - started)) s" >&2
    exit "$code"
  fi
  echo "== $name: $((SECONDS - started)) s"
}

# As many compilers as there are processors, but no more than memory has room for: one takes up to 2 GB here.
compilers_at_once() {
  local processors gigabytes
  processors=$(nproc)
  gigabytes=$(awk '/^MemAvailable:/ { print int($2 / 1048576) }' /proc/meminfo)
  local room=$((gigabytes / 2))
  ((room >= 1)) || room=1
  echo $((room < processors ? room : processors))
}
