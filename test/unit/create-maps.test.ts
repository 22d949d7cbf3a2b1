import { isBpfError, NotSupportedError, openObject } from '@bpfskel/runtime';
import { describe, expect, it } from 'vitest';
import { ERRNO, syscallError } from '../../runtime/src/kernel/errno.js';
import type { Kernel, MapCreate } from '../../runtime/src/kernel/kernel.js';
import { mapAttributes, roundEntries } from '../../runtime/src/loader/map-attributes.js';
import type { MapSpec } from '../../runtime/src/object/spec.js';
import type { LoadableObject } from '../../runtime/src/open.js';
import { BPF_F_MMAPABLE, BPF_F_RDONLY_PROG, BPF_MAP_TYPE } from '../../runtime/src/uapi.js';
import { testObject } from './object-editor.js';
import { recordedKernel } from './recorded-kernel.js';

const T = BPF_MAP_TYPE;
const PIN = '/sys/fs/bpf/sized';

/** maps.bpf.c: a map of every sort, tail calls and global data. */
function openMaps(change: (object: LoadableObject) => void = () => undefined): LoadableObject {
  const object = openObject(testObject('maps.o'), { name: 'maps' });
  change(object);
  return object;
}

const refusing =
  (errno: keyof typeof ERRNO, when: (call: keyof Kernel, argument: unknown) => boolean) =>
  (call: keyof Kernel, argument: unknown) => {
    if (when(call, argument)) throw syscallError(`bpf(${call})`, ERRNO[errno]);
  };
const creating = (name: string) => (call: keyof Kernel, argument: unknown) =>
  call === 'mapCreate' && (argument as MapCreate).name === name;

describe('the size of a map', () => {
  const host = { pageSize: 4096, possibleCpus: () => 6 };
  it.each([
    ['RINGBUF', 1, 4096],
    ['RINGBUF', 4096, 4096],
    ['RINGBUF', 4097, 8192],
    ['USER_RINGBUF', 5 * 4096, 8 * 4096],
    ['RINGBUF', 0x8000_0001, 0x8000_0000],
    ['RINGBUF', 0, 0],
    ['PERF_EVENT_ARRAY', 0, 6],
    ['PERF_EVENT_ARRAY', 2, 2],
    ['HASH', 5, 5],
  ] as const)('of type %s and %d entries becomes %d', (type, entries, size) => {
    expect(roundEntries(T[type], entries, host)).toBe(size);
  });

  it('of a ring follows larger pages', () => {
    expect(roundEntries(T.RINGBUF, 4096, { ...host, pageSize: 65536 })).toBe(65536);
  });
});

describe('the attributes of a map', () => {
  const spec = (more: Partial<MapSpec>): MapSpec => ({
    name: 'm',
    type: T.HASH,
    keySize: 4,
    valueSize: 8,
    maxEntries: 3,
    flags: 0,
    mapExtra: 0n,
    numaNode: 0,
    pinByName: false,
    keyTypeId: 2,
    valueTypeId: 3,
    slots: [],
    origin: 'btf',
    autocreate: true,
    ...more,
  });
  const attributes = (more: Partial<MapSpec>, kernel = recordedKernel().kernel) =>
    mapAttributes(spec(more), 3, { kernel, objectName: 'object', btf: 9, structOps: new Map() });

  it('name its types in the object’s BTF', () => {
    expect(attributes({})).toMatchObject({ btfFd: 9, btfKeyTypeId: 2, btfValueTypeId: 3 });
  });

  it.each(['PERF_EVENT_ARRAY', 'ARRAY_OF_MAPS', 'SOCKMAP', 'QUEUE', 'ARENA', 'RINGBUF'] as const)(
    'leave the types of %s out',
    (type) => {
      expect(attributes({ type: T[type] })).not.toHaveProperty('btfFd');
    },
  );

  it('leave sizes of a ring buffer’s records out', () => {
    expect(attributes({ type: T.RINGBUF, keySize: 0, valueSize: 24 })).toMatchObject({
      keySize: 0,
      valueSize: 0,
      maxEntries: 4096,
    });
  });

  it('carry numa_node and map_extra where they are set', () => {
    expect(attributes({ numaNode: 1, mapExtra: 7n })).toMatchObject({ numaNode: 1, mapExtra: 7n });
    expect(Object.keys(attributes({}))).not.toEqual(expect.arrayContaining(['numaNode']));
  });

  it('drop BPF_F_MMAPABLE of global data where the kernel has none, and only there', () => {
    const old = recordedKernel({ version: '5.4' }).kernel;
    const flags = BPF_F_MMAPABLE | BPF_F_RDONLY_PROG;
    expect(attributes({ type: T.ARRAY, origin: 'data', flags }, old).flags).toBe(BPF_F_RDONLY_PROG);
    expect(attributes({ type: T.ARRAY, origin: 'data', flags }).flags).toBe(flags);
    expect(attributes({ type: T.ARRAY, flags: BPF_F_MMAPABLE }, old).flags).toBe(BPF_F_MMAPABLE);
  });

  it('have no name on a kernel without names', () => {
    const { kernel } = recordedKernel(
      { version: '4.14' },
      refusing('EINVAL', (call, asked) => call === 'progLoad' && 'name' in (asked as object)),
    );
    expect(attributes({}, kernel)).not.toHaveProperty('name');
  });
});

describe('creating the maps of an object', () => {
  it('goes on without BTF when the kernel does not like it', () => {
    const { kernel, maps } = recordedKernel(
      {},
      refusing('EINVAL', (call, asked) => creating('typed')(call, asked) && 'btfFd' in (asked as object)),
    );
    using _live = openMaps().load({ kernel });
    const asked = maps.filter(({ name }) => name === 'typed');
    expect(asked.map(({ btfFd }) => btfFd !== undefined)).toEqual([true, false]);
  });

  it('reports the second refusal, by name', () => {
    const { kernel } = recordedKernel({}, refusing('ENOMEM', creating('typed')));
    expect(() => openMaps().load({ kernel })).toThrow(
      'create map "typed": the kernel has no memory for 1024 entries of 8 + 16 bytes',
    );
  });

  it('gives a map of maps a template, and closes it', () => {
    const recorded = recordedKernel();
    const live = openMaps().load({ kernel: recorded.kernel });
    expect(recorded.map('outer').innerMapFd).toBeGreaterThan(0);
    live.destroy();
    expect(recorded.fake.openFds).toEqual([]);
  });

  it('closes the template when the outer map is refused', () => {
    const recorded = recordedKernel({}, refusing('EINVAL', creating('outer')));
    expect(() => openMaps().load({ kernel: recorded.kernel })).toThrow(/^create map "outer": /);
    expect(recorded.fake.openFds).toEqual([]);
  });

  it('enters inner maps into their slots', () => {
    const { kernel, fake } = recordedKernel();
    using _live = openMaps().load({ kernel });
    const slots = [...fake.map('outer').entries()].map(([key]) => key[0]);
    expect(slots).toEqual([1, 4]);
  });

  it('says which inner map is missing', () => {
    const without = openMaps(({ maps }) => {
      for (const map of maps.values()) if (map.name === 'second') map.autocreate = false;
    });
    expect(() => without.load({ kernel: recordedKernel().kernel })).toThrow(
      'fill map "outer": slot 4 wants map "second", which was not created',
    );
  });

  it('says which program of a program array is missing', () => {
    const without = openMaps(({ progs }) => {
      for (const program of progs.values()) if (program.name === 'tail') program.autoload = false;
    });
    expect(() => without.load({ kernel: recordedKernel().kernel })).toThrow(
      'fill map "calls", slot 2: program "tail" is not loaded',
    );
  });

  it('leaves out what autocreate says', () => {
    const { kernel, fake } = recordedKernel();
    const object = openMaps(({ maps }) => {
      for (const map of maps.values()) if (map.name === 'bloom') map.autocreate = false;
    });
    using live = object.load({ kernel });
    expect(fake.maps.map(({ name }) => name)).not.toContain('bloom');
    expect(() => live.maps.get('bloom')?.fd).toThrow('use map "bloom": it was not created');
  });

  it('names the map that cannot be filled or frozen', () => {
    for (const [call, sentence] of [
      ['mapUpdate', /^fill map "\.\w+": /],
      ['mapFreeze', /^freeze map "\.rodata": /],
    ] as const) {
      const recorded = recordedKernel();
      recorded.fake.failing(call, 'EPERM');
      expect(() => openMaps().load({ kernel: recorded.kernel })).toThrow(sentence);
    }
  });

  it('names the map type that the kernel is too old for', () => {
    const old = recordedKernel({ version: '5.4' }).kernel;
    let error: unknown;
    try {
      openMaps().load({ kernel: old });
    } catch (caught) {
      error = caught;
    }
    expect(error).toBeInstanceOf(NotSupportedError);
    expect(error).toMatchObject({ errno: 22, since: '5.16', feature: 'map type BLOOM_FILTER' });
    expect(isBpfError(error) && error.message).toMatch(
      /^create map "bloom": map type BLOOM_FILTER needs Linux 5\.16, this is 5\.4\.0-fake \(EINVAL\)/,
    );
  });
});

describe('a map that is pinned by name', () => {
  it('is pinned when it is filled, and used by the next load', () => {
    const { kernel, fake, order } = recordedKernel();
    using _first = openMaps().load({ kernel });
    const { id } = fake.map('sized');
    using second = openMaps().load({ kernel });
    expect(second.maps.get('sized')?.info().id).toBe(id);
    expect(order.filter((call) => call === `pin(${PIN})`)).toHaveLength(1);
    expect(fake.maps.filter(({ name }) => name === 'sized')).toHaveLength(1);
  });

  it('lies where pinRoot or pinPath say', () => {
    const { kernel, order } = recordedKernel();
    const object = openMaps(({ maps }) => {
      for (const map of maps.values()) if (map.name === 'typed') map.pinPath = '/sys/fs/bpf/elsewhere';
    });
    using _live = object.load({ kernel, pinRoot: '/sys/fs/bpf/mine' });
    expect(order.filter((call) => call.startsWith('pin('))).toEqual([
      'pin(/sys/fs/bpf/elsewhere)',
      'pin(/sys/fs/bpf/mine/sized)',
    ]);
  });

  it('is another process’s when that was faster', () => {
    const first = recordedKernel();
    using _live = openMaps().load({ kernel: first.kernel });
    const { id } = first.fake.map('sized');
    let looked = false;
    const second = new Proxy<Kernel>(first.kernel, {
      get(target, key) {
        const value: unknown = Reflect.get(target, key, target);
        if (key !== 'pinned') return value;
        return (path: string) => {
          if (looked) return target.pinned(path);
          looked = true;
          throw syscallError('bpf(BPF_OBJ_GET)', ERRNO.ENOENT);
        };
      },
    });
    using slower = openMaps().load({ kernel: second });
    expect(slower.maps.get('sized')?.info().id).toBe(id);
  });

  it('keeps the contents it has', () => {
    const { kernel, order } = recordedKernel();
    const object = () =>
      openMaps(({ maps }) => {
        for (const map of maps.values()) {
          if (map.name === 'outer') map.pinPath = '/sys/fs/bpf/outer';
          if (map.name === '.bss') map.pinPath = '/sys/fs/bpf/bss';
        }
      });
    using first = object().load({ kernel });
    first.data.get('.bss')?.view().setUint8(0, 77);
    order.length = 0;
    using second = object().load({ kernel });
    expect(second.data.get('.bss')?.view().getUint8(0)).toBe(77);
    expect(order).not.toContain('mapUpdate(outer)');
  });

  it.each([
    ['max_entries', { maxEntries: 9 }, 'max_entries 9 there and 8 here'],
    [
      'the key size',
      { keySize: 8, type: T.HASH },
      'type HASH there and ARRAY here, key size 8 there and 4 here',
    ],
    ['the value size', { valueSize: 8 }, 'value size 8 there and 16 here'],
    ['flags', { flags: BPF_F_MMAPABLE }, 'flags 0x400 there and 0 here'],
    ['map_extra', { mapExtra: 16n }, 'map_extra 0x10 there and 0 here'],
  ])('must not differ in %s', (_field, other, sentence) => {
    const { kernel, fake } = recordedKernel();
    const fd = kernel.mapCreate({ type: T.ARRAY, keySize: 4, valueSize: 16, maxEntries: 8, ...other });
    kernel.pin(fd, PIN);
    const load = () => openMaps().load({ kernel });
    expect(load).toThrow(`create map "sized": the map pinned at ${PIN} is another one: ${sentence}`);
    expect(load).toThrow(/Remove the pin, or declare the map as it is there$/);
    kernel.close(fd);
    expect(fake.openFds).toEqual([]);
  });

  it('may be a device map, to which the kernel adds a flag', () => {
    const { kernel } = recordedKernel();
    const object = () =>
      openMaps(({ maps }) => {
        for (const map of maps.values()) if (map.name === 'typed') map.pinPath = '/sys/fs/bpf/devices';
      });
    const flagged = new Proxy<Kernel>(kernel, {
      get(target, key) {
        if (key !== 'mapInfo') return Reflect.get(target, key, target);
        return (fd: number) => {
          const info = target.mapInfo(fd);
          return { ...info, type: T.DEVMAP, flags: info.flags | BPF_F_RDONLY_PROG };
        };
      },
    });
    using _first = object().load({ kernel });
    // Only the type is told, not the flag.
    expect(() => object().load({ kernel: flagged })).toThrow(
      /another one: type DEVMAP there and HASH here\./,
    );
  });

  it('is unpinned when a program is refused, unless somebody else pinned it', () => {
    const { kernel, fake, order } = recordedKernel();
    fake.rejectProgram('entry', 'no\n');
    expect(() => openMaps().load({ kernel })).toThrow(/load program "entry"/);
    expect(order.filter((call) => call.startsWith('unpin'))).toEqual([`unpin(${PIN})`]);
    expect([fake.maps, fake.openFds]).toEqual([[], []]);
    const fd = kernel.mapCreate({ type: T.ARRAY, keySize: 4, valueSize: 16, maxEntries: 8 });
    kernel.pin(fd, PIN);
    expect(() => openMaps().load({ kernel })).toThrow(/load program "entry"/);
    expect(order.filter((call) => call.startsWith('unpin'))).toHaveLength(1);
  });

  it('that cannot be pinned says where', () => {
    const { kernel } = recordedKernel();
    expect(() => openMaps().load({ kernel, pinRoot: '/tmp' })).toThrow(/^pin map "sized" at \/tmp\/sized: /);
  });

  it('that cannot be opened says so', () => {
    const { kernel, fake } = recordedKernel();
    fake.failing('pinned', 'EACCES');
    expect(() => openMaps().load({ kernel })).toThrow(/^open the pin of map "sized": /);
  });
});

describe('an arena', () => {
  const arena = () => openObject(testObject('arena.o'), { name: 'arena' });

  it('is mapped where it wants to be before programs are loaded, with its globals in it', () => {
    const { kernel, order, arenas, fake } = recordedKernel();
    const live = arena().load({ kernel });
    expect(arenas).toEqual([0x100000000000n]);
    expect(order.indexOf('mmap(arena)')).toBeLessThan(order.indexOf('progLoad(touch)'));
    const memory = live.data.get('arena');
    expect([memory?.view().getBigUint64(0, true), memory?.view().getUint32(8, true)]).toEqual([5n, 6]);
    live.destroy();
    expect(fake.calls.filter((call) => call === 'munmap')).toHaveLength(1);
    expect(() => memory?.view()).toThrow(/its object is destroyed/);
  });

  it('that cannot be mapped says so', () => {
    const { kernel, fake } = recordedKernel();
    fake.failing('mmap', 'EEXIST');
    expect(() => arena().load({ kernel })).toThrow(/^map arena "arena" into memory: /);
    expect(fake.openFds).toEqual([]);
  });
});
