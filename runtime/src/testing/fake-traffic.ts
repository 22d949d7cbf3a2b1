import type {
  BpfRoute,
  TcDirection,
  TcFilter,
  TcFilterKey,
  TcFilterSet,
  TrafficCalls,
} from '../kernel/kernel.js';
import { FakeHost } from './fake-host.js';
import { refusal } from './refusal.js';

/** The priority the kernel gives when none is asked for, the first time. */
const FIRST_PRIORITY = 49152;

/** The part of the fake kernel that is about filters of traffic control and about routes. */
export abstract class FakeTraffic extends FakeHost implements TrafficCalls {
  readonly #clsact = new Set<number>();
  readonly #filters = new Map<string, TcFilter & TcFilterKey>();
  readonly #routes = new Set<string>();

  clsactCreate(ifindex: number): void {
    this.enter('clsactCreate', this.#device(ifindex));
    if (this.#clsact.has(ifindex)) throw refusal('netlink(RTM_NEWQDISC)', 'EEXIST');
    this.#clsact.add(ifindex);
  }

  clsactDelete(ifindex: number): void {
    this.enter('clsactDelete', this.#device(ifindex));
    if (!this.#clsact.delete(ifindex)) throw refusal('netlink(RTM_DELQDISC)', 'ENOENT');
    for (const filter of [...this.#filters.values()]) {
      if (filter.ifindex === ifindex) this.#drop(filter);
    }
  }

  filterQdisc(ifindex: number): string | undefined {
    this.enter('filterQdisc', this.#device(ifindex));
    return this.#clsact.has(ifindex) ? 'clsact' : undefined;
  }

  filterSet(filter: TcFilterSet): TcFilter {
    const { ifindex, direction, prog, as, name, replace = false } = filter;
    const syscall = 'netlink(RTM_NEWTFILTER)';
    const device = this.#device(ifindex);
    this.enter('filterSet', device);
    const { program } = this.descriptors.get(prog, 'program', syscall);
    if (!this.#clsact.has(ifindex)) throw refusal(syscall, 'EINVAL');
    const there = this.filterQuery(ifindex, direction);
    const lowest = Math.min(FIRST_PRIORITY + 1, ...there.map(({ priority }) => priority));
    const { priority = lowest - 1 } = filter;
    const of = there.filter((each) => each.priority === priority);
    const { handle = Math.max(0, ...of.map((each) => each.handle)) + 1 } = filter;
    const made = { ifindex, direction, priority, handle };
    if (!replace && this.#filters.has(keyOf(made))) throw refusal(syscall, 'EEXIST');
    const kind = as === 'classifier' ? 'bpf' : 'matchall';
    this.#filters.set(keyOf(made), { ...made, kind, progId: program.id, name });
    const parts = { program, attachType: 0, target: device, flags: 0, cookie: 0n };
    this.attachments.hold(keyOf(made), { via: 'netlink', ...parts });
    return { kind, priority, handle, progId: program.id, name };
  }

  filterDelete(key: TcFilterKey): void {
    this.enter('filterDelete', this.#device(key.ifindex));
    const filter = this.#filters.get(keyOf(key));
    if (filter === undefined) throw refusal('netlink(RTM_DELTFILTER)', 'ENOENT');
    this.#drop(filter);
  }

  filterQuery(ifindex: number, direction: TcDirection): readonly TcFilter[] {
    this.script.check('filterQuery', this.#device(ifindex));
    return [...this.#filters.values()]
      .filter((each) => each.ifindex === ifindex && each.direction === direction)
      .sort((a, b) => a.priority - b.priority)
      .map(({ kind, priority, handle, progId, name }) => ({ kind, priority, handle, progId, name }));
  }

  routeCreate(route: BpfRoute): void {
    const target = this.#device(route.ifindex);
    this.enter('routeCreate', target);
    const { program } = this.descriptors.get(route.prog, 'program', 'netlink(RTM_NEWROUTE)');
    const key = routeKey(route);
    if (this.#routes.has(key)) throw refusal('netlink(RTM_NEWROUTE)', 'EEXIST');
    this.#routes.add(key);
    this.attachments.hold(key, { via: 'netlink', program, attachType: 0, target, flags: 0, cookie: 0n });
  }

  routeDelete(route: BpfRoute): void {
    this.enter('routeDelete', this.#device(route.ifindex));
    const key = routeKey(route);
    if (!this.#routes.delete(key)) throw refusal('netlink(RTM_DELROUTE)', 'ESRCH');
    this.attachments.drop(key);
  }

  #drop(filter: TcFilterKey): void {
    this.#filters.delete(keyOf(filter));
    this.attachments.drop(keyOf(filter));
  }

  #device(ifindex: number): string {
    const name = this.ifname(ifindex);
    if (name === undefined) throw refusal('netlink', 'ENODEV');
    return name;
  }
}

function keyOf({ ifindex, direction, priority, handle }: TcFilterKey): string {
  return `filter ${ifindex} ${direction} ${priority} ${handle}`;
}

function routeKey({ destination, prefixLength, table = 254, metric = 0 }: BpfRoute): string {
  return `route ${destination.join('.')}/${prefixLength} ${table} ${metric}`;
}
