import { mkdirSync, rmSync } from 'node:fs';
import { openObject, openPinnedMap } from '@bpfskel/runtime';
import { afterEach, describe, expect, it } from 'vitest';
import { linuxKernel } from '../../runtime/src/kernel/linux.js';
import { Arena, arena } from '../../runtime/src/map/arena.js';
import { array } from '../../runtime/src/map/array.js';
import { BPF_F_MMAPABLE, kernelVersion } from '../../runtime/src/uapi.js';
import { liveMap, Sample, sample, u32, u64 } from '../unit/live-map.js';
import { mapContract } from './map-contract.js';

const kernel = linuxKernel();

mapContract({
  type: 'ARRAY',
  variant: 'in shared memory',
  shape: array(Sample),
  attributes: { flags: BPF_F_MMAPABLE, maxEntries: 1000 },
  put: (map) => map.live().set(999, sample(9)),
  see: (map) => [map.live().get(999), map.get(999), [...map.live()].length],
  shown: [sample(9), sample(9), 1000],
  refuse: (map) => {
    map.freeze();
    map.live().set(0, sample(1));
  },
  refusal: /^write to the memory of map "table": it is frozen/,
  more: {
    'shows at once what is set, either way': (map) => {
      const live = map.live();
      map.set(3, sample(3));
      expect(live.get(3)).toEqual(sample(3));
      live.memory.setUint32(3 * live.stride, 77, true);
      expect(map.get(3)?.pid).toBe(77);
    },
    'is read on, but not written, once it is frozen': (map) => {
      const before = map.live().set(1, sample(1));
      map.freeze();
      expect(() => before.get(1)).toThrow(/it was frozen since/);
      expect([map.live().get(1), map.live().writable]).toEqual([sample(1), false]);
      const frozen = 'map "table": it is frozen, so no process can write to it (EPERM)';
      expect(() => map.set(1, sample(2))).toThrow(`set 1 of ${frozen}`);
      expect(() => map.freeze()).toThrow(/^freeze map "table": (?:it is frozen, .*\(EPERM\)|.*\(EBUSY\))$/);
    },
    'is read by who did not freeze it': (map) => {
      map.live().set(1, sample(1));
      map.freeze();
      const path = `/sys/fs/bpf/frozen_${process.pid}`;
      map.pin(path);
      using pinned = openPinnedMap(path, array(Sample));
      kernel.unpin(path);
      expect([pinned.live().writable, pinned.live().get(1)]).toEqual([false, sample(1)]);
    },
  },
});

mapContract({
  type: 'ARENA',
  when: kernel.version >= kernelVersion(6, 9),
  shape: arena(),
  attributes: { keySize: 0, valueSize: 0, maxEntries: 2, flags: BPF_F_MMAPABLE, mapExtra: 0x2000_0000_0000n },
  put: (map) => map.write(map.address, u64, 3n),
  see: (map) => map.read(map.address, u64),
  shared: false,
  shown: 3n,
  refuse: (map) => map.read(map.address - 8n, u64),
  refusal: /^point into map "table": 8 bytes at 0x1\w+ are not in the arena/,
});

describe.runIf(kernel.version >= kernelVersion(6, 9))('an arena', () => {
  const pinRoot = `/sys/fs/bpf/arena_${process.pid}`;
  afterEach(() => rmSync(pinRoot, { recursive: true, force: true }));
  const object = () => openObject('test/testdata/arena.o');

  it('is memory that programs and this process share, at one address', () => {
    const live = object().load();
    const shared = live.maps.get('arena');
    if (!(shared instanceof Arena)) throw new Error('the arena is of another class');
    expect([shared.address, shared.byteLength]).toEqual([0x1000_0000_0000n, 10 * kernel.pageSize]);
    const globals = live.data.get('arena')?.view();
    expect([shared.read(shared.address, u64), shared.read(shared.address + 8n, u32)]).toEqual([5n, 6]);
    shared.write(shared.address + 8n, u32, 7);
    live.progs.get('touch')?.testRun();
    expect([shared.read(shared.address, u64), globals?.getBigUint64(0, true)]).toEqual([12n, 12n]);
    // A page that no program allocated comes into being.
    const far = shared.address + BigInt(9 * kernel.pageSize);
    expect(shared.write(far, u64, 1n).read(far, u64)).toBe(1n);
    const { memory } = shared;
    live.destroy();
    expect(() => shared.memory).toThrow(/is destroyed/);
    expect(memory.getBigUint64(0, true)).toBe(0n);
  });

  it('is opened again by its pin', () => {
    mkdirSync(pinRoot);
    const live = object().load();
    live.maps.get('arena')?.pin(`${pinRoot}/arena`);
    live.destroy();
    using again = openPinnedMap(`${pinRoot}/arena`, arena());
    expect([again.address, again.read(again.address, u64)]).toEqual([0x1000_0000_0000n, 5n]);
  });

  it('lies where the kernel wants when nobody says where', () => {
    const attributes = {
      type: 33,
      name: 'anywhere',
      keySize: 0,
      valueSize: 0,
      maxEntries: 2,
      flags: BPF_F_MMAPABLE,
    };
    const { map, destroy } = liveMap(kernel, arena(), attributes);
    expect(map.write(map.address, u64, 3n).memory.getBigUint64(0, true)).toBe(3n);
    destroy();
  });
});
