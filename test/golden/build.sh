#!/usr/bin/env bash
# Compiles the sources of the golden cases: test/golden/build.sh [CASE...]. Needs clang-19 and libbpf-dev.
# With OUT set to a folder the objects go to OUT/CASE/in.bpf.o instead of beside their sources.
set -euo pipefail
cd "$(dirname "$0")"
out=${OUT:-$PWD}
[ $# -gt 0 ] || set -- */
for case in "$@"; do
  target=bpf
  [ "${case%/}" = big_endian ] && target=bpfeb
  mkdir -p "$out/$case"
  compile() (cd "$case" && clang-19 -g -O2 -target "$target" -I/usr/include/x86_64-linux-gnu -fdebug-prefix-map="$PWD=." \
    -fdebug-compilation-dir=. -Wno-c2x-extensions "${@:2}" -c in.bpf.c -o "$out/$case/$1")
  if [ "${case%/}" = architectures ]; then
    compile in.x86.bpf.o -D__TARGET_ARCH_x86
    compile in.arm64.bpf.o -D__TARGET_ARCH_arm64
    compile other.arm64.bpf.o -D__TARGET_ARCH_arm64 -DOTHER_LAYOUT
  else
    compile in.bpf.o
  fi
done
