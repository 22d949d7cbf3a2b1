import type { Fd, Kernel, MapCreate, ProgLoad } from '../../runtime/src/kernel/kernel.js';
import { type FakeKernel, type FakeKernelOptions, fakeKernel } from '../../runtime/src/testing/index.js';

/** A fake kernel that tells what it was asked, feature probes left out. */
export interface RecordedKernel {
  readonly fake: FakeKernel;
  readonly kernel: Kernel;
  /** Calls in order with the name of what they are about: `mapCreate(counts)`. */
  readonly order: string[];
  readonly maps: MapCreate[];
  readonly programs: ProgLoad[];
  /** Addresses that mmap was asked for. */
  readonly arenas: bigint[];
  /** BTF of objects. */
  readonly btfs: Uint8Array[];
  map(name: string): MapCreate;
  program(name: string): ProgLoad;
}

const shown: ReadonlySet<string> = new Set<keyof Kernel>([
  'btfLoad',
  'mapCreate',
  'mapUpdate',
  'mapFreeze',
  'mmap',
  'pin',
  'pinned',
  'unpin',
  'progLoad',
  'progBindMap',
]);

/** `refuse` may throw instead of a call; it sees what the kernel is asked, probes included. */
export function recordedKernel(
  options: FakeKernelOptions = {},
  refuse: (call: keyof Kernel, argument: unknown) => void = () => undefined,
): RecordedKernel {
  const fake = fakeKernel(options);
  const order: string[] = [];
  const maps: MapCreate[] = [];
  const programs: ProgLoad[] = [];
  const arenas: bigint[] = [];
  const btfs: Uint8Array[] = [];
  const names = new Map<Fd, string>();
  const kernel = new Proxy<Kernel>(fake, {
    get(target, key) {
      const value: unknown = Reflect.get(target, key, target);
      if (typeof value !== 'function') return value;
      return (...args: unknown[]) => {
        const call = key as keyof Kernel; // functions of a Kernel are its methods
        const [first] = args;
        // A probe's maps and programs have no name, or the one of probes.
        const name = nameOf(call, args, names);
        const probe = name === undefined;
        if (!probe && shown.has(call)) order.push(`${call}(${name})`);
        if (!probe && call === 'mapCreate') maps.push({ ...(first as MapCreate) });
        if (!probe && call === 'progLoad') {
          const load = first as ProgLoad;
          programs.push({ ...load, insns: load.insns.slice() });
        }
        if (!probe && call === 'btfLoad') btfs.push(first as Uint8Array);
        const address = args[4];
        if (call === 'mmap' && typeof address === 'bigint') arenas.push(address);
        refuse(call, first);
        const result: unknown = value.apply(target, args);
        if (typeof result === 'number' && name !== undefined) names.set(result, name);
        return result;
      };
    },
  });
  const one = <T extends { name?: string }>(list: readonly T[], name: string): T => {
    const found = list.find((each) => each.name === name);
    if (found === undefined) throw new Error(`no ${name} among ${list.map((each) => each.name).join(', ')}`);
    return found;
  };
  return {
    fake,
    kernel,
    order,
    maps,
    programs,
    arenas,
    btfs,
    map: (name) => one(maps, name),
    program: (name) => one(programs, name),
  };
}

function nameOf(call: keyof Kernel, args: readonly unknown[], names: ReadonlyMap<Fd, string>) {
  const [first, second] = args;
  switch (call) {
    case 'mapCreate':
    case 'progLoad': {
      const { name } = first as MapCreate | ProgLoad;
      return name === 'bpfskel_probe' || name === 'det_arg_ctx' ? undefined : name;
    }
    case 'btfLoad':
      // Those of probes are a few types.
      return (first as Uint8Array).length < 200 ? undefined : 'object';
    case 'pin':
      return String(second);
    case 'progBindMap':
      return `${names.get(first as Fd)}, ${names.get(second as Fd)}`;
    default:
      return typeof first === 'number' ? names.get(first) : String(first);
  }
}
