#!/usr/bin/env bash
# Builds the kernel of test/vm/kernel.config from Debian's linux-source-6.12: small, everything built in, with hooks that
# no kernel of Debian has. test/vm/run.sh -k built calls it; neither sources nor what they become enter the repository.
#
#   test/vm/kernel.sh OUT_DIR        leaves OUT_DIR/vmlinuz, and OUT_DIR/config that says what is in it
#
# Takes 18 minutes of processor time, and 2 GB in the folder above OUT_DIR until it is done. Exit status 1, with the reason on stderr,
# when this machine cannot do it.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
out=$1

cannot() { echo "building a kernel: $1" >&2; exit 1; }
step() { echo "building a kernel: $1" >&2; }

need_tools() {
  local missing=() pair
  for pair in gcc:gcc make:make flex:flex bison:bison bc:bc pahole:dwarves xz:xz-utils; do
    command -v "${pair%%:*}" > /dev/null || missing+=("${pair##*:}")
  done
  [ -e /usr/include/libelf.h ] || missing+=(libelf-dev)
  [ -e /usr/include/zlib.h ] || missing+=(zlib1g-dev)
  [ -e /usr/include/linux/types.h ] || missing+=(linux-libc-dev)
  [ ${#missing[@]} -gt 0 ] || return 0
  command -v apt-get > /dev/null && [ "$(id -u)" = 0 ] || cannot "needs these Debian packages: ${missing[*]}"
  step "installing ${missing[*]}"
  apt-get update -qq >&2
  DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}" >&2
}

# Without most of what this configuration never compiles, which is half of the files. Every Kconfig is needed.
unpack_source() {
  local top=linux-source-6.12
  step "unpacking $top"
  (cd "$work" && apt-get -o APT::Sandbox::User="$(id -un)" download -qq "$top" >&2) || cannot "apt-get download $top"
  dpkg --fsys-tarfile "$work"/*.deb | tar xO --wildcards "*/$top.tar.xz" | tar xJ -C "$work" \
    --exclude="$top/arch/[!x]*/*.[chS]" --exclude="$top/arch/*.dts*" --exclude="$top/drivers/gpu/*.[ch]" \
    --exclude="$top/sound/*.[ch]" --exclude="$top/Documentation/*/*" --exclude="$top/tools/testing/*"
  rm "$work"/*.deb
  tree=$work/$top
}

configure() {
  KCONFIG_ALLCONFIG=$here/kernel.config make -s -C "$tree" allnoconfig >&2
  local wanted
  while IFS= read -r wanted; do
    grep -qxF "$wanted" "$tree/.config" || cannot "test/vm/kernel.config asks for $wanted, which something else does not allow"
  done < <(grep -E '^(CONFIG_|# CONFIG_)' "$here/kernel.config")
}

mkdir -p "$out"
work=$(mktemp -d "$(dirname "$out")/new.XXXXXX"); trap 'rm -rf "$work"' EXIT
need_tools
unpack_source
configure
step 'compiling'
make -s -C "$tree" -j"$(nproc)" bzImage > "$work/log" 2>&1 || { tail -20 "$work/log" >&2; cannot 'it does not compile'; }
cp "$tree/.config" "$out/config"
mv "$tree/arch/x86/boot/bzImage" "$out/vmlinuz"
