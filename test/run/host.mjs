// What this machine is and has. Nothing here changes it.
import { accessSync, constants, existsSync, readFileSync } from 'node:fs';
import { delimiter, join } from 'node:path';

export const isLinux = process.platform === 'linux';
export const isRoot = process.getuid?.() === 0;

const folders = [...(process.env.PATH ?? '').split(delimiter), '/usr/sbin', '/sbin'];

/** Where a program lies, undefined when it is not installed. */
export function find(program) {
  return folders
    .filter((folder) => folder !== '')
    .map((folder) => join(folder, program))
    .find((path) => {
      try {
        accessSync(path, constants.X_OK);
        return true;
      } catch {
        return false;
      }
    });
}

// include/uapi/linux/capability.h
const CAP_SYS_ADMIN = 21n;
const CAP_BPF = 39n;

/** Why this process cannot load BPF programs into the kernel it runs on; undefined when it can. */
export function whyNoBpf() {
  if (!isLinux) return `eBPF needs Linux; this is ${process.platform}`;
  const status = readFileSync('/proc/self/status', 'utf8');
  const effective = BigInt(`0x${/^CapEff:\s*(\w+)/m.exec(status)?.[1] ?? '0'}`);
  const has = (capability) => (effective >> capability) & 1n;
  if (!has(CAP_SYS_ADMIN) && !has(CAP_BPF)) {
    return isRoot
      ? 'root, but without CAP_BPF and CAP_SYS_ADMIN (a container?)'
      : 'needs root: sudo npm test, or sudo npm run demo';
  }
  return undefined;
}

/** Whether this kernel can place kprobes. */
export function hasKprobes() {
  return existsSync('/sys/bus/event_source/devices/kprobe');
}
