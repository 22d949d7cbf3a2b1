#!/usr/bin/env bash
# Compiles every committed BPF object of the repository: X.bpf.c becomes X.o beside it. (The golden cases, one folder
# each, are compiled by test/golden/build.sh, which this script calls.)
#
#   test/testdata/build.sh [SOURCE.bpf.c...]   compile (all when none is named)
#   test/testdata/build.sh --check             compile into a temporary folder and compare with what is committed
#
# A source may ask for more in a comment that starts a line:
#   // build: -mcpu=v3 -DX=1     further flags
#   // build-eb                  also X.eb.o, big-endian
#
# The compiler is pinned (clang-19), paths are relative to the repository, and the output does not depend on the machine.
set -euo pipefail
cd "$(dirname "$0")/../.."
CLANG=${CLANG:-clang-19} STRIP=${LLVM_STRIP:-llvm-strip-19}
FLAGS=(-g -O2 -D__TARGET_ARCH_x86 -I/usr/include/x86_64-linux-gnu "-fdebug-prefix-map=$PWD=." -fdebug-compilation-dir=.)

# compile SOURCE OUT_DIR: OUT_DIR empty means beside the source
compile() {
  local source=$1 base=${1%.bpf.c} extra
  local out=${2:+$2/}$base
  mkdir -p "$(dirname "$out")"
  read -ra extra <<< "$(sed -n 's,^// build: ,,p' "$source")"
  "$CLANG" "${FLAGS[@]}" --target=bpfel "${extra[@]}" -c "$source" -o "$out.o"
  if grep -q '^// build-eb' "$source"; then "$CLANG" "${FLAGS[@]}" --target=bpfeb "${extra[@]}" -c "$source" -o "$out.eb.o"; fi
}

# DWARF repeats line numbers of system headers, which differ between minor releases; nothing reads it.
stripped() { "$STRIP" -g -o "$2" "$1"; }

compile_all() {
  local dir=$1; shift
  printf '%s\n' "$@" | xargs -P "$(nproc)" -I{} test/testdata/build.sh --one {} "$dir"
}

case ${1:-} in
  --one) compile "$2" "${3:-}"; exit ;;
  --check)
    mapfile -t sources < <(git ls-files '*.bpf.c' ':!test/golden' | sort)
    work=$(mktemp -d); trap 'rm -rf "$work"' EXIT
    compile_all "$work" "${sources[@]}"
    OUT=$work/test/golden test/golden/build.sh
    stale=0
    while IFS= read -r built; do
      committed=${built#"$work/"}
      stripped "$built" "$work/built"
      if [ ! -e "$committed" ]; then echo "missing: $committed" >&2; stale=$((stale + 1)); continue; fi
      stripped "$committed" "$work/committed"
      cmp -s "$work/built" "$work/committed" || { echo "stale: $committed is not what its source compiles to" >&2; stale=$((stale + 1)); }
    done < <(find "$work" -name '*.o' | sort)
    [ $stale = 0 ] || { echo "run test/testdata/build.sh and commit the result" >&2; exit 1; } ;;
  *)
    if [ $# -gt 0 ]; then compile_all '' "$@"; exit; fi
    mapfile -t sources < <(find examples test -name '*.bpf.c' ! -path 'test/golden/*' | sort)
    compile_all '' "${sources[@]}"
    test/golden/build.sh ;;
esac
