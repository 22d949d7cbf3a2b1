#!/usr/bin/env bash
# Runs a command as root in an emulated machine that boots a Debian kernel over this machine's own file system
# (read-only underneath, a RAM overlay on top). What the command writes to $SHARE stays in SHARE_DIR. The kernel "built"
# is one of our own configuration, compiled here once: test/vm/kernel.sh.
#
#   test/vm/run.sh [-k 6.1|6.12|built] [-m MEBIBYTES] [-t SECONDS] [-s SHARE_DIR] -- COMMAND...
#   test/vm/run.sh -k 6.12 -p        only prepare: download (or compile) the kernel and build the initial RAM disk
#
# Exit status: the command's; 124 when it took longer than SECONDS; 125 when the machine did not boot;
# 126 when this host cannot run it (the reason is on stderr).
# Kernels are kept under ${XDG_CACHE_HOME:-~/.cache}/bpfskel/vm. Neither root nor KVM is needed.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
cache=${XDG_CACHE_HOME:-$HOME/.cache}/bpfskel/vm
kernel=6.12 memory=3072 limit=600 share='' prepare_only=''

cannot() { echo "emulated kernel $kernel: $1" >&2; exit 126; }

# The package that holds the newest kernel of the wanted series in this release of Debian.
kernel_package() {
  local meta package
  for meta in "linux-image-$kernel-amd64" linux-image-amd64; do
    package=$(apt-cache depends "$meta" 2>/dev/null | awk '/Depends: linux-image-/ { print $2; exit }')
    case $package in "linux-image-$kernel."*) echo "$package"; return ;; esac
  done
  cannot "no Debian package linux-image-$kernel* in this machine's package lists (apt-get update?)"
}

# Modules the machine itself needs (9p root, overlay) and those that tests attach to.
modules=(
  fs/netfs/netfs fs/fscache/fscache drivers/virtio/virtio drivers/virtio/virtio_ring
  drivers/virtio/virtio_pci_legacy_dev drivers/virtio/virtio_pci_modern_dev drivers/virtio/virtio_pci
  net/9p/9pnet net/9p/9pnet_virtio fs/9p/9p fs/overlayfs/overlay
  drivers/net/veth drivers/net/dummy net/sched/cls_bpf net/sched/sch_ingress
)

build_initrd() { # KERNEL_TREE OUT
  local root module tree
  root=$(mktemp -d); tree=$(echo "$1"/*/kernel)
  mkdir -p "$root"/{bin,proc,sys,dev,low,ram,root,modules}
  cp "$(command -v busybox)" "$root/bin/busybox"; cp "$here/init" "$root/init"; chmod 755 "$root/init"
  for module in "${modules[@]}"; do # what is missing is built into this kernel
    if [ -f "$tree/$module.ko.xz" ]; then xz -dc "$tree/$module.ko.xz" > "$root/modules/${module##*/}.ko"
    elif [ -f "$tree/$module.ko" ]; then cp "$tree/$module.ko" "$root/modules/"; fi
  done
  (cd "$root" && find . | cpio -o -H newc --quiet -R 0:0 | gzip -1) > "$2.part"
  mv "$2.part" "$2"; rm -rf "$root"
}

download_kernel() {
  local package work
  package=$(kernel_package); echo "downloading $package" >&2
  work=$(mktemp -d "$cache/new.XXXXXX"); mkdir "$work/package"
  (cd "$work/package" && apt-get -o APT::Sandbox::User="$(id -un)" download -qq "$package" >&2) || { rm -rf "$work"; cannot "apt-get download $package"; }
  dpkg -x "$work"/package/*.deb "$work/tree"
  mkdir "$work/kernel"
  mv "$work"/tree/usr/lib/modules "$work/kernel/modules" 2>/dev/null || mv "$work"/tree/lib/modules "$work/kernel/modules"
  mkdir -p "$work/depmod/lib"; ln -s "$work/kernel/modules" "$work/depmod/lib/modules"
  command -v depmod > /dev/null && depmod -b "$work/depmod" "$(ls "$work/kernel/modules")"
  mv "$work"/tree/boot/vmlinuz-* "$work/kernel/vmlinuz"
  rm -rf "$dir"; mv "$work/kernel" "$dir"; rm -rf "$work"
}

# Anew when its configuration changes.
compile_kernel() {
  local made
  made=$dir/made-$(cat "$here/kernel.sh" "$here/kernel.config" | sha256sum | cut -c1-12)
  [ ! -e "$made" ] || return 0
  rm -rf "$dir"
  "$here/kernel.sh" "$dir" || cannot 'it could not be built'
  mkdir -p "$dir/modules"; touch "$made"
}

prepare() {
  local tool
  [ "$(uname -m)" = x86_64 ] || cannot "the test machines are x86-64 and run this host's own programs, which are $(uname -m)"
  for tool in qemu-system-x86_64:qemu-system-x86 busybox:busybox-static cpio:cpio xz:xz-utils apt-get:apt dpkg:dpkg; do
    command -v "${tool%%:*}" > /dev/null || cannot "needs ${tool%%:*} (Debian package ${tool##*:})"
  done
  mkdir -p "$cache"
  exec 9> "$cache/$kernel.lock"; flock 9
  dir=$cache/$kernel
  if [ "$kernel" = built ]; then compile_kernel
  elif [ ! -e "$dir/vmlinuz" ]; then download_kernel; fi
  # The initial RAM disk follows this script: a change of either file builds it anew.
  initrd=$dir/initrd-$(cat "$here/init" "$here/run.sh" | sha256sum | cut -c1-12).gz
  [ -e "$initrd" ] || { rm -f "$dir"/initrd-*; build_initrd "$dir/modules" "$initrd"; }
  flock -u 9; exec 9>&-
}

write_command() { # COMMAND...
  echo "$dir/modules" > "$share/modules"
  {
    printf 'export PATH=%q HOME=/root LANG=C.UTF-8 SHARE=/vmshare CI=%q\n' "$PATH:/usr/sbin:/sbin" "${CI:-}"
    printf 'cd %q\n' "$PWD"
    printf '%q ' "$@"; echo
  } > "$share/command"
}

boot() {
  # One thread of emulation: with more, QEMU corrupts the kernel's patching of its own text and the guest panics.
  # Two sockets: a kernel without ACPI finds no other processors than the first of each.
  # Without KASLR, addresses in instructions are those of every other boot, so that tags of programs can be compared.
  timeout "$limit" qemu-system-x86_64 -accel tcg,thread=single -cpu max -m "$memory" -smp 2,sockets=2 \
    -display none -no-reboot -nic none -monitor none \
    -kernel "$dir/vmlinuz" -initrd "$initrd" -append 'console=ttyS0 panic=-1 quiet nokaslr' \
    -serial "file:$share/console" -serial stdio \
    -virtfs local,path=/,mount_tag=host,security_model=none,readonly=on,multidevs=remap \
    -virtfs "local,path=$share,mount_tag=share,security_model=none,multidevs=remap" < /dev/null
}

while getopts k:m:t:s:p option; do
  case $option in
    k) kernel=$OPTARG ;; m) memory=$OPTARG ;; t) limit=$OPTARG ;; s) share=$OPTARG ;; p) prepare_only=1 ;; *) exit 2 ;;
  esac
done
shift $((OPTIND - 1)); [ "${1:-}" = -- ] && shift
prepare
[ -z "$prepare_only" ] || exit 0
[ $# -gt 0 ] || { sed -n 's/^#   //p' "$0" >&2; exit 2; }

if [ -z "$share" ]; then share=$(mktemp -d); trap 'rm -rf "$share"' EXIT; fi
mkdir -p "$share"; share=$(cd "$share" && pwd); rm -f "$share/status"
write_command "$@"
outcome=0; boot || outcome=$?
if [ "$outcome" = 124 ]; then echo "emulated kernel $kernel: stopped after $limit s" >&2; exit 124; fi
if [ ! -s "$share/status" ]; then
  echo "emulated kernel $kernel: did not finish; its console ends:" >&2; tail -20 "$share/console" >&2; exit 125
fi
exit "$(cat "$share/status")"
