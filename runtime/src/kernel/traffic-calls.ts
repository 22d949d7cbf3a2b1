import type { Fd } from './fd.js';

/** The part of the seam that is about filters of traffic control and about routes. */
export interface TrafficCalls {
  /** Makes a device's clsact qdisc, which holds filters; EEXIST when there is one, or an `ingress` one. */
  clsactCreate(ifindex: number): void;
  /** Takes it away with every filter it holds. */
  clsactDelete(ifindex: number): void;
  /** What holds a device's filters: `clsact`, or `ingress` (received packets only); undefined when nothing does. */
  filterQdisc(ifindex: number): string | undefined;
  /** Makes a filter that runs a program, or with `replace` puts it in the place of the one with this handle. */
  filterSet(filter: TcFilterSet): TcFilter;
  filterDelete(filter: TcFilterKey): void;
  /** The filters of one direction, in the order of their priorities. */
  filterQuery(ifindex: number, direction: TcDirection): readonly TcFilter[];
  /** Adds a route whose packets run a program. */
  routeCreate(route: BpfRoute): void;
  routeDelete(route: BpfRoute): void;
}

/** Which packets of a device: those it receives, or those it sends. */
export type TcDirection = 'ingress' | 'egress';

export interface TcFilterKey {
  ifindex: number;
  direction: TcDirection;
  /** Filters run in the order of this number, 1 to 65535. */ priority: number;
  /** Tells filters of one priority apart. */ handle: number;
}
export interface TcFilterSet extends Omit<TcFilterKey, 'priority' | 'handle'> {
  prog: Fd;
  /** SCHED_CLS programs are filters (in direct-action mode); SCHED_ACT ones are the action of a filter that takes all. */
  as: 'classifier' | 'action';
  /** What `tc filter show` calls the program. */ name: string;
  /** The kernel chooses one that is free when absent. */ priority?: number;
  handle?: number;
  replace?: boolean;
}
export interface TcFilter {
  /** `bpf`, `flower` and so on. */ kind: string;
  priority: number;
  handle: number;
  /** The program it runs (for others than `bpf`, as the action); 0 without one. */ progId: number;
  /** What it was called when it was made. */ name: string | undefined;
}

export interface BpfRoute {
  /** Where in the stack: routes to this host, from it, on their way out; `seg6local`: End.BPF. */
  hook: 'in' | 'out' | 'xmit' | 'seg6local';
  prog: Fd;
  /** What `ip route show` calls the program; routes are told apart by it. */ name: string;
  /** 4 or 16 bytes in network order. */ destination: Uint8Array;
  prefixLength: number;
  ifindex: number;
  gateway?: Uint8Array;
  metric?: number;
  /** Of routes; the main one (254) when absent. */ table?: number;
  /** Bytes an `xmit` program may put in front, at most 256. */ headroom?: number;
}
