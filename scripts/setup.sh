#!/usr/bin/env bash
# Installs the dependencies of Sectile: packages of the distribution, and LibTorch from pinned wheels into .deps/libtorch.
# Can be run repeatedly: it only installs what is missing, and prints nothing if nothing is. For Debian 12 and Ubuntu 24.04.
#
#   LibTorch_ROOT=DIR   use the LibTorch there: a `torch` folder, its site-packages, a virtual environment
#   SECTILE_CUDA=1      install the wheel with all its CUDA libraries, for GPUs: 5 GB instead of 1.3
#   SECTILE_FUZZ=1      also install clang with libFuzzer
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
source scripts/common.sh

torch=2.11.0
# libtorch_cpu.so of the wheel does not load without these two, whether or not there is a GPU.
cuda_runtime=(nvidia-cuda-runtime==13.0.96 nvidia-cuda-cupti==13.0.85)
packages=(
  g++ cmake ninja-build ccache git ca-certificates clang-format python3 python3-pip python3-jsonschema
  libopencv-core-dev libopencv-imgproc-dev libboost-dev libboost-program-options-dev
  nlohmann-json3-dev libsimdjson-dev libspng-dev libjpeg-dev libtiff-dev libwebp-dev libcurl4-openssl-dev doctest-dev
)
[[ ${SECTILE_FUZZ:-0} != 1 ]] || packages+=(clang libclang-rt-dev)

make_deps_folder() {
  mkdir -p .deps 2>/dev/null || true
  [[ -w .deps ]] || fail "$PWD/.deps cannot be written by $(id -un); if it is another user's, make it yours:" "sudo chown -R $(id -un) $PWD/.deps"
}

install_packages() {
  local installed missing=() package
  installed=$(dpkg-query -W -f='${db:Status-Status} ${Package}\n' "${packages[@]}" 2>/dev/null || true)
  for package in "${packages[@]}"; do
    grep -qxF "installed $package" <<<"$installed" || missing+=("$package")
  done
  ((${#missing[@]})) || return 0

  local install="apt-get install -y --no-install-recommends ${missing[*]}" as_root=()
  if ((EUID != 0)); then
    command -v sudo >/dev/null || fail "installing packages needs root rights, and there is no sudo here; as root, run:" "$install"
    as_root=(sudo)
    sudo true || fail "installing packages needs root rights, and sudo refused; have an administrator run:" "$install"
  fi
  echo "setup: installing ${missing[*]}"
  make_deps_folder
  local log=.deps/packages.log
  "${as_root[@]}" apt-get update -q >"$log" 2>&1 || true # one broken source of several need not matter
  # shellcheck disable=SC2086
  if ! "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive $install -q -o DPkg::Lock::Timeout=300 >>"$log" 2>&1; then
    grep '^E: ' "$log" | sort -u | tail -3 >&2 || true
    fail "the packages could not be installed (all of apt's output: $log); check the network and the disk, then run:" \
      "${as_root[*]:+sudo }apt-get update && ${as_root[*]:+sudo }$install"
  fi
}

# The folder that contains include/ and lib/: DIR itself, or the location of a wheel below DIR. Nothing if there is none.
torch_folder() {
  local folder
  for folder in "$1" "$1"/torch "$1"/lib/python3*/{site,dist}-packages/torch; do
    [[ -e $folder/lib/libtorch_cpu.so ]] && echo "$folder" && return
  done
  true
}

# "2.11.0" of the folder that torch_folder found.
torch_version() {
  awk '/^#define TORCH_VERSION_(MAJOR|MINOR|PATCH) / { printf "%s%s", dot, $3; dot = "." }' \
    "$1"/include/torch/headeronly/version.h "$1"/include/torch/csrc/api/include/torch/version.h 2>/dev/null || true
}

has_cuda() { [[ -e $1/torch/lib/libtorch_cuda.so && -d $1/nvidia/cudnn ]]; }

check_own_libtorch() {
  local folder version
  folder=$(torch_folder "$LibTorch_ROOT")
  [[ -n $folder ]] || fail "LibTorch_ROOT is $LibTorch_ROOT, where there is no lib/libtorch_cpu.so; to have $torch installed here instead:" \
    "unset LibTorch_ROOT; scripts/setup.sh"
  version=$(torch_version "$folder")
  [[ $(printf '%s\n' "${version:-0}" 2.11 | sort -V | head -1) == 2.11 ]] ||
    fail "LibTorch_ROOT is $LibTorch_ROOT, which is version ${version:-unknown}; 2.11 or later is needed; to have $torch installed here instead:" \
      "unset LibTorch_ROOT; scripts/setup.sh"
}

install_libtorch() {
  local target=.deps/libtorch needed=2000 what=(--no-deps "torch==$torch" "${cuda_runtime[@]}")
  if [[ ${SECTILE_CUDA:-0} == 1 ]]; then
    needed=8000 what=("torch==$torch")
  fi
  if [[ $(torch_version $target/torch) == "$torch" && -e $target/torch/lib/libtorch_cpu.so ]]; then
    if [[ ${SECTILE_CUDA:-0} != 1 ]] || has_cuda $target; then return 0; fi
  fi

  local python found=
  for python in /usr/bin/python3 python3; do
    if "$python" -m pip --version >/dev/null 2>&1; then
      found=$python
      break
    fi
  done
  [[ -n $found ]] || fail "pip, which fetches LibTorch, is missing; on Debian and Ubuntu:" "apt-get install python3-pip"
  make_deps_folder
  local free
  free=$(df -Pm .deps | awk 'NR == 2 { print $4 }')
  ((free >= needed)) || fail "LibTorch needs $needed MB while it is installed, and $PWD/.deps has $free MB left; make room, or use one that you have:" \
    "LibTorch_ROOT=/path/to/site-packages scripts/setup.sh"

  echo "setup: installing LibTorch $torch in $target"
  local quiet=()
  [[ -t 1 ]] || quiet=(--quiet)
  rm -rf $target.tmp
  mkdir -p $target.tmp/unpacking # on the same disk, so that nothing is copied twice and a small /tmp suffices
  # --no-compile: its Python code is not used.
  if ! TMPDIR=$PWD/$target.tmp/unpacking PIP_ROOT_USER_ACTION=ignore PIP_DISABLE_PIP_VERSION_CHECK=1 \
    "$found" -m pip install "${quiet[@]}" --no-compile --target "$target.tmp/libtorch" "${what[@]}"; then
    rm -rf $target.tmp
    fail "pip could not install LibTorch (its reason is above); check the network and run this again, or use one that you have:" \
      "LibTorch_ROOT=/path/to/site-packages scripts/setup.sh"
  fi
  rm -rf $target
  mv $target.tmp/libtorch $target
  rm -rf $target.tmp
}

if command -v dpkg-query apt-get >/dev/null; then
  install_packages
else
  echo "setup: no apt here, so these (or what your distribution calls them) are taken to be installed: ${packages[*]}" >&2
fi
if [[ -n ${LibTorch_ROOT:-} ]]; then
  check_own_libtorch
else
  install_libtorch
fi
