#!/bin/sh
# Runs a command that sees tracefs and a BPF file system mounted, without leaving anything mounted behind.
#   private-mounts.sh COMMAND...
if [ "${1:-}" != --inside ]; then
  if unshare --mount true 2>/dev/null; then exec unshare --mount "$0" --inside "$@"; fi
  exec "$@"
fi
shift
[ -e /sys/kernel/tracing/trace_pipe ] || mount -t tracefs tracefs /sys/kernel/tracing
[ "$(stat -f -c %T /sys/fs/bpf 2>/dev/null)" = bpf_fs ] || mount -t bpf bpf /sys/fs/bpf
exec "$@"
