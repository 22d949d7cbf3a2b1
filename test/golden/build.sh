#!/usr/bin/env bash
# Compiles the sources of the golden cases: test/golden/build.sh [CASE...]. Needs clang-19 and libbpf-dev.
set -euo pipefail
cd "$(dirname "$0")"
[ $# -gt 0 ] || set -- */
for case in "$@"; do
  target=bpf
  [ "${case%/}" = big_endian ] && target=bpfeb
  (cd "$case" && clang-19 -g -O2 -target "$target" -I/usr/include/x86_64-linux-gnu -fdebug-prefix-map="$PWD=." \
    -fdebug-compilation-dir=. -Wno-c2x-extensions -c in.bpf.c -o in.bpf.o)
done
