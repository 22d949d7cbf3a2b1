import { describe, expect, it } from 'vitest';
import { NotSupportedError } from '../../runtime/src/errors.js';
import { encodeInsns, LD_IMM64, PseudoLoad } from '../../runtime/src/insn.js';
import { insnArray } from '../../runtime/src/map/insn-array.js';
import { rhash } from '../../runtime/src/map/rhash.js';
import { fakeKernel } from '../../runtime/src/testing/index.js';
import { BPF_F_NO_PREALLOC, BPF_MAP_TYPE, BPF_PROG_TYPE } from '../../runtime/src/uapi.js';
import { newest_maps } from '../golden/newest_maps/expected.skel.ts';
import { liveMap, u32 } from './live-map.js';

function openHash(maxEntries = 10_000) {
  const kernel = fakeKernel({ version: '7.2' });
  const attributes = {
    type: BPF_MAP_TYPE.RHASH,
    name: 'growing',
    keySize: 4,
    valueSize: 4,
    maxEntries,
    flags: BPF_F_NO_PREALLOC,
  };
  return { kernel, ...liveMap(kernel, rhash(u32, u32), attributes) };
}
const upTo = (count: number) => Array.from({ length: count }, (_, i) => i);

describe('a resizable hash map', () => {
  it('is a map', () => {
    const { map } = openHash();
    map.set(1, 10).set(2, 20);
    expect([map.get(1), map.has(3), map.take(2), map.delete(2), map.size]).toEqual([10, false, 20, false, 1]);
  });

  it('is walked to its end while the entry to go on with is deleted', () => {
    const { map } = openHash();
    map.setMany(upTo(10_000).map((i) => [i, i] as const));
    const seen: number[] = [];
    for (const key of map.keys()) {
      // The walk goes on with this one, and has not told of it.
      if (key === 0) map.delete(4096);
      seen.push(key);
    }
    expect(seen).toEqual(upTo(10_000).filter((key) => key !== 4096));
  });

  it('is emptied, however many batches that takes', () => {
    const { map } = openHash();
    map.setMany(upTo(10_000).map((i) => [i, i] as const)).clear();
    expect(map.size).toBe(0);
  });

  it('is emptied when the entry to go on with goes away', () => {
    const { map, kernel, fd } = openHash();
    map.setMany(upTo(10_000).map((i) => [i, i] as const));
    const { mapLookupBatch } = kernel;
    let calls = 0;
    kernel.mapLookupBatch = (...args) => {
      const first = calls++ === 0;
      const answer = mapLookupBatch.apply(kernel, args);
      if (first && answer.cursor !== undefined) kernel.mapDelete(fd, answer.cursor);
      return answer;
    };
    map.clear();
    // The second one is refused, and two more do the rest.
    expect([map.size, calls]).toEqual([0, 4]);
  });

  it('says that it is full', () => {
    const { map } = openHash(1);
    expect(() => map.set(1, 1).set(2, 2)).toThrow('map "growing" is full: max_entries is 1');
  });
});

describe('an array of instructions', () => {
  const attributes = {
    type: BPF_MAP_TYPE.INSN_ARRAY,
    name: 'targets',
    keySize: 4,
    valueSize: 16,
    maxEntries: 2,
  };
  function open() {
    const kernel = fakeKernel({ version: '6.19' });
    const live = liveMap(kernel, insnArray(), attributes);
    const load = () => {
      const insns = encodeInsns(
        [
          { code: LD_IMM64, dst: 1, src: PseudoLoad.MAP_FD, imm: live.fd },
          { code: 0 },
          { code: 0xb7 },
          { code: 0x95 },
        ],
        kernel.littleEndian,
      );
      return kernel.progLoad({ type: BPF_PROG_TYPE.XDP, insns, license: 'GPL' });
    };
    return { kernel, load, ...live };
  }

  it('takes numbers of instructions, and tells where they went', () => {
    const { map, load } = open();
    map.set(0, 2).set(1, { orig_off: 3 });
    expect([...map]).toEqual([
      { orig_off: 2, xlated_off: 0, jitted_off: 0 },
      { orig_off: 3, xlated_off: 0, jitted_off: 0 },
    ]);
    map.freeze();
    load();
    expect([map.length, map.get(1)]).toEqual([2, { orig_off: 3, xlated_off: 3, jitted_off: 24 }]);
  });

  it('takes back what it gave', () => {
    const { map } = open();
    map.set(0, 2).freeze();
    const { map: other } = open();
    expect(other.set(1, map.get(0)).get(1).orig_off).toBe(2);
    expect(
      [...other.setMany(map.entries()).fill({ orig_off: 1 }).values()].map((place) => place.orig_off),
    ).toEqual([1, 1]);
  });

  it('knows instructions that the verifier removed', () => {
    const { map, kernel } = open();
    kernel.mapLookup = (_fd, _key, value) => {
      value.set([5, 0, 0, 0, 255, 255, 255, 255, 8, 0, 0, 0]);
      return true;
    };
    expect(map.get(0)).toEqual({ orig_off: 5, xlated_off: undefined, jitted_off: undefined });
  });

  it('is of one program, and frozen before that is loaded', () => {
    const { map, load } = open();
    expect(load).toThrow(/EINVAL/);
    map.set(0, 9).freeze();
    expect(load).toThrow(/EINVAL/);
    expect(() => map.set(0, 1)).toThrow(/^set 0 of map "targets": .*\(EPERM\)$/);
    const good = open();
    good.map.freeze();
    const prog = good.load();
    expect(good.load).toThrow(/EBUSY/);
    good.kernel.close(prog);
    good.load();
  });

  it('refuses other indexes', () => {
    expect(() => open().map.set(2, 0)).toThrow(/its indexes are the integers from 0 to 1$/);
  });
});

describe('maps of kernels that are newer than this one', () => {
  it.each([
    ['6.18', 'create map "targets": map type INSN_ARRAY needs Linux 6.19, this is 6.18.0'],
    ['6.19', 'create map "growing": map type RHASH needs Linux 7.2, this is 6.19.0'],
  ])('say on Linux %s which one has them', (version, message) => {
    const load = () => newest_maps.open({ kernel: fakeKernel({ version }) }).load();
    expect(load).toThrow(message);
    expect(load).toThrow(NotSupportedError);
  });

  it('are typed by their skeleton', () => {
    using skel = newest_maps.open({ kernel: fakeKernel({ version: '7.2' }) }).load();
    skel.maps.growing.set(7, { packets: 3n });
    skel.maps.targets.set(3, 11);
    expect([skel.maps.growing.get(7)?.packets, skel.maps.targets.get(3).orig_off]).toEqual([3n, 11]);
  });
});
