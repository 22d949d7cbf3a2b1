import { describe, expect, it } from 'vitest';
import { buildIdStackTrace } from '../../runtime/src/map/build-id-stack-trace.js';
import { mapKindOf } from '../../runtime/src/map/kinds.js';
import { stackTrace } from '../../runtime/src/map/stack-trace.js';
import { fakeKernel } from '../../runtime/src/testing/index.js';
import { BPF_F_STACK_BUILD_ID, BPF_MAP_TYPE } from '../../runtime/src/uapi.js';
import { liveMap } from './live-map.js';

const attributes = { type: BPF_MAP_TYPE.STACK_TRACE, name: 'stacks', keySize: 4, maxEntries: 16 };

describe('a stack trace map', () => {
  const open = () => {
    const kernel = fakeKernel();
    return { kernel, ...liveMap(kernel, stackTrace(), { ...attributes, valueSize: 4 * 8 }) };
  };

  it('gives the addresses of a stack, up to the first that is none', () => {
    const { map, kernel } = open();
    const id = kernel.addStack('stacks', [0xffffffff81000000n, 2n]);
    expect(map.get(id)).toEqual([0xffffffff81000000n, 2n]);
    expect([map.depth, map.has(id), map.has(id + 1), map.get(id + 1)]).toEqual([4, true, false, undefined]);
    expect(map.get(kernel.addStack('stacks', [1n, 2n, 3n, 4n, 5n]))).toEqual([1n, 2n, 3n, 4n]);
    expect(map.get(kernel.addStack('stacks', []))).toEqual([]);
  });

  it('has none for an id that is an errno', () => {
    expect(open().map.get(-17)).toBeUndefined();
  });

  it('describes its frames with the symbols it is given', () => {
    const { map, kernel } = open();
    const id = kernel.addStack('stacks', [1n, 2n]);
    const symbols = { symbolize: (address: bigint) => `function_${address}` };
    expect(map.symbolize(id, symbols)).toEqual(['function_1', 'function_2']);
    expect(map.symbolize(99, symbols)).toBeUndefined();
  });

  it('forgets what is taken, deleted and cleared', () => {
    const { map, kernel } = open();
    const [one, two, three] = [1n, 2n, 3n].map((address) => kernel.addStack('stacks', [address]));
    expect([...map]).toEqual([
      [one, [1n]],
      [two, [2n]],
      [three, [3n]],
    ]);
    expect([map.take(one ?? 0), map.take(one ?? 0), map.delete(two ?? 0), map.size]).toEqual([
      [1n],
      undefined,
      true,
      1,
    ]);
    map.clear();
    expect([...map.keys()]).toEqual([]);
  });
});

describe('a stack trace map with build ids', () => {
  it('gives places in files, and addresses where there is no build id', () => {
    const kernel = fakeKernel();
    const more = { valueSize: 3 * 32, flags: BPF_F_STACK_BUILD_ID };
    const { map } = liveMap(kernel, buildIdStackTrace(), { ...attributes, ...more });
    const buildId = '0123456789abcdef0123456789abcdef01234567';
    const id = kernel.addStack('stacks', [{ buildId, offset: 0x1234n }, 0x7f00n]);
    expect(map.get(id)).toEqual([
      { buildId, offset: 0x1234n },
      { buildId: undefined, address: 0x7f00n },
    ]);
    expect(map.depth).toBe(3);
  });

  it('is a kind of its own', () => {
    expect(mapKindOf(BPF_MAP_TYPE.STACK_TRACE, 0).kindName).toBe('stackTrace');
    expect(mapKindOf(BPF_MAP_TYPE.STACK_TRACE, BPF_F_STACK_BUILD_ID).kindName).toBe('buildIdStackTrace');
  });
});
