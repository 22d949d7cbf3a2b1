// What the links of each kind of program let a user do, and what not. Compiled, never run: every `@ts-expect-error` is a
// promise that the line below it is refused.
import {
  type LinkInfo,
  type LinkInfoOf,
  type NetfilterProgram,
  type OpenedLink,
  openLink,
  openLinkById,
  type PerfEventInfo,
  type StructOpsMap,
  type TracepointProgram,
  type UpdatableOpenedLink,
  type XdpProgram,
} from '@bpfskel/runtime';

type Equal<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false;
const is = <A, B>(_: Equal<A, B>): void => undefined;

export function attached(
  xdp: XdpProgram,
  trace: TracepointProgram,
  filter: NetfilterProgram,
  ops: StructOpsMap,
): void {
  const link = xdp.attach('eth0');
  link.update(xdp, { expected: xdp });
  is<typeof link.pinPath, string | undefined>(true);
  const { pinPath } = link.pin('/sys/fs/bpf/x');
  is<typeof pinPath, string | undefined>(true);
  // @ts-expect-error where it is pinned is pin()'s to say
  link.pinPath = '/sys/fs/bpf/y';
  // @ts-expect-error a program, and not its name
  link.update('count');
  // @ts-expect-error the kernel does not exchange programs of perf events
  trace.attach().update(trace);
  // @ts-expect-error nor of netfilter
  filter.attach({ family: 'ipv4', hook: 'input', priority: 1 }).update(filter);
  ops.attach().update(ops, { expected: ops });
  // @ts-expect-error a map takes the place of a map
  ops.attach().update(xdp);
}

export function told(info: LinkInfo): bigint | number | string | undefined {
  // @ts-expect-error not every link has a device
  info.ifindex;
  switch (info.type) {
    case 'xdp':
      is<typeof info.ifindex, number>(true);
      return info.ifindex;
    case 'cgroup':
      is<typeof info.cgroupId, bigint>(true);
      return info.cgroupId;
    case 'perf_event':
      // @ts-expect-error older kernels do not tell
      info.event.kind;
      return onEvent(info.event);
    case 'netfilter':
      return info.hook === 'prerouting' ? info.priority : info.family;
    // @ts-expect-error no such type
    case 'kprobe':
      return undefined;
    default:
      return info.id;
  }
}

function onEvent(event: PerfEventInfo | undefined): string | undefined {
  switch (event?.kind) {
    case 'kprobe':
      is<typeof event.address, bigint | undefined>(true);
      return event.functionName;
    case 'uprobe':
      // @ts-expect-error a uprobe has a path
      return event.functionName;
    default:
      return event?.kind;
  }
}

export function opened(xdp: XdpProgram, ops: StructOpsMap): void {
  using any = openLink('/sys/fs/bpf/x');
  is<typeof any, OpenedLink>(true);
  // @ts-expect-error nothing says that it is of a type whose program is exchanged
  any.update(xdp);
  using device = openLink('/sys/fs/bpf/x', 'xdp');
  is<typeof device, UpdatableOpenedLink<'xdp'>>(true);
  device.update(xdp, { expected: xdp });
  const ifindex: number = device.info().ifindex;
  is<LinkInfoOf<'xdp'>['ifindex'], typeof ifindex>(true);
  using probe = openLinkById(4, 'perf_event');
  // @ts-expect-error the kernel does not exchange programs of perf events
  probe.update(xdp);
  using struct = openLink('/sys/fs/bpf/y', 'struct_ops');
  struct.update(ops);
  // @ts-expect-error a map takes the place of a map
  struct.update(xdp);
  // @ts-expect-error no such type of link
  openLink('/sys/fs/bpf/x', 'kprobe');
}
