import type { Kernel, LinkInfo, PerfEventInfo } from '../kernel/kernel.js';
import { deviceName } from './device.js';

/** What a link is attached to, for people, from what the kernel tells: `tcx eth0 ingress`. */
export function describeLink(kernel: Kernel, info: LinkInfo): string {
  switch (info.type) {
    case 'raw_tracepoint':
      return `raw tracepoint ${info.tracepoint}`;
    case 'tracing':
      return `${info.attachType} BTF type ${info.targetBtfId ?? 'unknown'}`;
    case 'cgroup':
      return `${info.attachType} of cgroup ${info.cgroupId}`;
    case 'iter':
      return `iter ${info.target ?? ''}`.trim();
    case 'netns':
      return `${info.attachType} of network namespace ${info.netnsInode}`;
    case 'xdp':
      return `xdp ${device(kernel, info.ifindex)}`;
    case 'tcx':
    case 'netkit':
      return `${info.attachType} ${device(kernel, info.ifindex)}`;
    case 'perf_event':
      return info.event === undefined ? 'perf event' : describeEvent(info.event);
    case 'kprobe_multi':
      return `kprobes of ${info.count ?? 'some'} functions`;
    case 'uprobe_multi':
      return info.path === undefined ? 'uprobes' : `uprobes of ${info.count} places in ${info.path}`;
    case 'struct_ops':
      return `struct_ops map ${info.mapId}`;
    case 'netfilter':
      return `netfilter ${info.family} ${info.hook} priority ${info.priority}`;
    case 'sockmap':
      return `${info.attachType} of map ${info.mapId}`;
    case 'other':
      return `link of type ${info.linkType}`;
  }
}

/** An index may be of a device in another network namespace: this process knows its own names only. */
function device(kernel: Kernel, ifindex: number): string {
  return ifindex === 0 ? 'a device that is gone' : deviceName(kernel, ifindex);
}

function describeEvent(event: PerfEventInfo): string {
  switch (event.kind) {
    case 'kprobe':
    case 'kretprobe': {
      const { functionName, address = 0n } = event;
      return `${event.kind} ${functionName === '' ? `0x${address.toString(16)}` : functionName}`;
    }
    case 'uprobe':
    case 'uretprobe':
      return `${event.kind} ${event.path}:0x${event.offset.toString(16)}`;
    case 'tracepoint':
      return `tracepoint ${event.name}`;
    case 'event':
      return `perf event ${event.eventType}:${event.config}`;
  }
}
