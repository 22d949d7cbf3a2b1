#!/usr/bin/env bash
# Compiles the BPF selftests of the Linux kernel, real objects that nobody here wrote: about 800 of them, from Debian's
# linux-source-6.12, kept under ${XDG_CACHE_HOME:-~/.cache}/bpfskel/selftests and never in the repository.
#
#   test/conformance/prepare.sh        prints the folder: objects/*.o, vmlinux.btf, bpftool (6.12's own)
#
# Takes some minutes once. Exit status 1, with the reason on stderr, when this machine cannot do it.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
out=${XDG_CACHE_HOME:-$HOME/.cache}/bpfskel/selftests
tree=$out/linux-source-6.12
selftests=$tree/tools/testing/selftests/bpf

cannot() { echo "kernel selftests: $1" >&2; exit 1; }
step() { echo "kernel selftests: $1" >&2; }

need_tools() {
  local missing=() pair
  for pair in clang-19:clang-19 llvm-strip-19:llvm-19 gcc:gcc make:make flex:flex bison:bison python3:python3 xz:xz-utils; do
    command -v "${pair%%:*}" > /dev/null || missing+=("${pair##*:}")
  done
  [ -e /usr/include/libelf.h ] || missing+=(libelf-dev)
  [ -e /usr/include/zlib.h ] || missing+=(zlib1g-dev)
  [ -e /usr/include/linux/bpf.h ] || missing+=(linux-libc-dev)
  [ ${#missing[@]} -gt 0 ] || return 0
  command -v apt-get > /dev/null && [ "$(id -u)" = 0 ] || cannot "needs these Debian packages: ${missing[*]}"
  step "installing ${missing[*]}"
  apt-get update -qq >&2
  DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}" >&2
}

unpack_source() {
  [ ! -e "$tree/unpacked" ] || return 0
  local work; work=$(mktemp -d "$out/source.XXXXXX")
  step 'unpacking linux-source-6.12'
  (cd "$work" && apt-get -o APT::Sandbox::User="$(id -un)" download -qq linux-source-6.12 >&2) || { rm -rf "$work"; cannot 'apt-get download linux-source-6.12'; }
  dpkg --fsys-tarfile "$work"/*.deb | tar xO --wildcards '*/linux-source-6.12.tar.xz' \
    | tar xJ -C "$out" linux-source-6.12/{tools,include/uapi,scripts,kernel/bpf}
  rm -rf "$work"; touch "$tree/unpacked"
}

# 6.12's own bpftool: its vmlinux.h has the kfunc prototypes that these sources count on, and its libbpf is the reference.
build_bpftool() {
  [ ! -e "$out/reference/bpftool" ] || return 0
  step 'building bpftool and libbpf of 6.12'
  mkdir -p "$out/reference"
  make -s -C "$tree/tools/bpf/bpftool" -j"$(nproc)" CLANG=clang-19 LLVM_STRIP=llvm-strip-19 OUTPUT="$out/reference/" \
    > "$out/reference/log" 2>&1 || { tail -20 "$out/reference/log" >&2; cannot "bpftool does not build, see $out/reference/log"; }
}

make_headers() {
  [ ! -e "$out/include/ready" ] || return 0
  mkdir -p "$out/include/bpf" "$out/share"
  # shellcheck disable=SC2016 # expanded in the guest
  [ -s "$out/vmlinux.btf" ] || {
    "$here/../vm/run.sh" -k 6.12 -s "$out/share" -- bash -c 'cp /sys/kernel/btf/vmlinux "$SHARE/vmlinux.btf"'
    mv "$out/share/vmlinux.btf" "$out/vmlinux.btf"
  }
  "$out/reference/bpftool" btf dump file "$out/vmlinux.btf" format c > "$out/include/vmlinux.h"
  cp "$tree"/tools/lib/bpf/*.h "$out/reference/libbpf/bpf_helper_defs.h" "$out/include/bpf/"
  touch "$out/include/ready"
}

compile_one() { # SOURCE
  # Not every source is meant for this compiler: what does not compile is left out.
  clang-19 -g -O2 --target=bpf -mlittle-endian -mcpu=v3 -std=gnu11 -fno-strict-aliasing -w \
    -D__TARGET_ARCH_x86 -DENABLE_ATOMICS_TESTS \
    -I"$out/include" -I"$selftests" -I"$selftests/bpf_experimental" -I"$selftests/progs" -I"$selftests/bpf_testmod" \
    -I"$tree/tools/include/uapi" -I/usr/include/x86_64-linux-gnu "-fdebug-prefix-map=$out=." \
    -c "$1" -o "$out/objects/$(basename "$1" .c).o" 2> /dev/null || true
}

if [ "${1:-}" = --one ]; then compile_one "$2"; exit; fi
if [ ! -e "$out/ready" ]; then
  mkdir -p "$out/objects"
  need_tools; unpack_source; build_bpftool; make_headers
  step 'compiling the objects'
  find "$selftests/progs" -name '*.c' | sort | xargs -P "$(nproc)" -I{} "$0" --one {}
  touch "$out/ready"
fi
count=$(find "$out/objects" -name '*.o' | wc -l)
[ "$count" -ge 700 ] || cannot "only $count objects compiled, about 800 are expected"
echo "$out"
