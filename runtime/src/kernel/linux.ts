import { release } from 'node:os';
import { hostLittleEndian } from '../bytes.js';
import { elementCalls, linkCalls, mapCalls, progCalls } from './bpf.js';
import { descriptorCalls } from './descriptors.js';
import { hostCalls, runningVersion } from './host.js';
import type { Kernel } from './kernel.js';
import { type Libc, loadLibc } from './libc.js';
import { mapFile } from './mapped-file.js';
import { mappingCalls } from './mapping.js';
import { networkCalls } from './network.js';
import { perfCalls } from './perf-event.js';
import { createPoller } from './poller.js';
import { attachCalls } from './prog-attach.js';
import { queryCalls } from './prog-query.js';
import { trafficCalls } from './traffic.js';

const KERNEL_TYPES = '/sys/kernel/btf/vmlinux';

let kernel: Kernel | undefined;

/**
 * The running kernel, over system calls through libc. Loads koffi at the first call. Throws NotSupportedError off
 * Linux, on unknown architectures, and where koffi has no binary.
 */
export function linuxKernel(): Kernel {
  kernel ??= bindKernel(loadLibc());
  return kernel;
}

function bindKernel(libc: Libc): Kernel {
  const version = runningVersion();
  const poller = createPoller(libc);
  const host = hostCalls();
  let types: Uint8Array | undefined;
  return {
    version,
    release: release(),
    arch: process.arch,
    pageSize: libc.pageSize(),
    littleEndian: hostLittleEndian,
    ...host,
    readFile(path) {
      if (path !== KERNEL_TYPES) return host.readFile(path);
      types ??= mapFile(libc, path);
      return types ?? host.readFile(path);
    },
    ...elementCalls(libc),
    ...mapCalls(libc, version),
    ...progCalls(libc, version),
    ...linkCalls(libc),
    ...queryCalls(libc, version),
    ...attachCalls(libc),
    ...perfCalls(libc),
    ...networkCalls(libc),
    ...trafficCalls(libc),
    ...descriptorCalls(libc),
    ...mappingCalls(libc),
    watch: (fd, ready, when) => poller.watch(fd, ready, when),
  };
}
