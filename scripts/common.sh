# shellcheck shell=bash
# Common functions of the scripts. Sourced, not executed.

# Exits with code 2: something on the machine has to change first. Prints one sentence, and the command that fixes it.
fail() {
  echo "$(basename "$0"): $1" >&2
  [[ $# -lt 2 ]] || echo "  $2" >&2
  exit 2
}

# phase NAME COMMAND…: runs a command, prints its name and how long it took.
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

# One compiler per processor, limited by memory: each needs up to 2 GB.
compilers_at_once() {
  local processors gigabytes
  processors=$(nproc)
  gigabytes=$(awk '/^MemAvailable:/ { print int($2 / 1048576) }' /proc/meminfo)
  local room=$((gigabytes / 2))
  ((room >= 1)) || room=1
  echo $((room < processors ? room : processors))
}
