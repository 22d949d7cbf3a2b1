import { describe, expect, it } from 'vitest';
import type { Codec } from '../../runtime/src/codec/codec.js';
import { lpmTrie } from '../../runtime/src/map/lpm-trie.js';
import { Prefix } from '../../runtime/src/map/prefix.js';
import { fakeKernel } from '../../runtime/src/testing/index.js';
import { BPF_F_NO_PREALLOC, BPF_MAP_TYPE } from '../../runtime/src/uapi.js';
import { liveMap, u32 } from './live-map.js';

/** `struct { __u32 prefixlen; __u8 data[size]; }` */
function keyOf(size: number): Codec<{ prefixlen: number; data: number[] }> {
  return {
    size: 4 + size,
    read: (view, offset) => ({
      prefixlen: view.getUint32(offset, true),
      data: Array.from({ length: size }, (_, i) => view.getUint8(offset + 4 + i)),
    }),
    write: (view, offset, { prefixlen, data }) => {
      view.setUint32(offset, prefixlen, true);
      data.forEach((byte, i) => {
        view.setUint8(offset + 4 + i, byte);
      });
    },
  };
}

function open(data = 4) {
  return liveMap(fakeKernel(), lpmTrie(keyOf(data), u32), {
    type: BPF_MAP_TYPE.LPM_TRIE,
    name: 'routes',
    keySize: 4 + data,
    valueSize: 4,
    maxEntries: 16,
    flags: BPF_F_NO_PREALLOC,
  }).map;
}

describe('an LPM trie', () => {
  it('finds the longest prefix of an address', () => {
    const map = open().set('0.0.0.0/0', 0).set('10.0.0.0/8', 8).set('10.1.0.0/16', 16);
    expect(['10.1.2.3', '10.2.2.3', '11.0.0.1'].map((address) => map.get(address))).toEqual([16, 8, 0]);
    expect(map.getMany(['10.1.0.0/15', '10.1.0.0/16'])).toEqual([8, 16]);
  });

  it('has keys of its type, of text, and of bits', () => {
    const map = open().set({ prefixlen: 8, data: [10, 0, 0, 0] }, 1);
    expect(map.get('10.1.1.1')).toBe(1);
    expect(map.get(new Prefix(new Uint8Array([10, 1, 1, 1])))).toBe(1);
    expect([...map]).toEqual([[{ prefixlen: 8, data: [10, 0, 0, 0] }, 1]]);
    expect([...map.prefixes()].map(([prefix, value]) => `${prefix} ${value}`)).toEqual(['10.0.0.0/8 1']);
    expect(`${map.prefixOf({ prefixlen: 9, data: [10, 128, 0, 0] })}`).toBe('10.128.0.0/9');
  });

  it('deletes and takes the very prefix only', () => {
    const map = open().set('10.0.0.0/8', 8);
    expect([map.delete('10.0.0.1'), map.take('10.0.0.0/9'), map.has('10.0.0.1')]).toEqual([
      false,
      undefined,
      true,
    ]);
    expect([map.take('10.0.0.0/8'), map.size]).toEqual([8, 0]);
    map.setMany([['1.0.0.0/8', 1] as const, ['2.0.0.0/8', 2] as const]);
    expect(map.deleteMany(['1.0.0.0/8', '3.0.0.0/8', '2.0.0.0/8'])).toBe(2);
  });

  it('of 16 bytes has IPv6 keys', () => {
    const map = open(16).set('2001:db8::/32', 1).set('::ffff:10.0.0.0/104', 2);
    expect([map.get('2001:db8:1::1'), map.get('::ffff:10.9.9.9'), map.get('::1')]).toEqual([1, 2, undefined]);
    expect(() => map.get('10.0.0.1')).toThrow(
      'key of map "routes": "10.0.0.1" is IPv4, which has 4 bytes; its data has 16; the IPv6 form is ::ffff:1.2.3.4/128',
    );
  });

  it('of other data has keys of bits', () => {
    const map = open(3).set(new Prefix(new Uint8Array([1, 2, 3]), 12), 5);
    expect(map.get({ prefixlen: 24, data: [1, 15, 9] })).toBe(5);
    expect(() => map.get('1.2.3.4')).toThrow(/"1.2.3.4" is IPv4, which has 4 bytes; its data has 3$/);
    expect(() => map.get(new Prefix(new Uint8Array(4)))).toThrow(
      /takes 3 bytes of data, a prefix of 4 was given/,
    );
  });

  it.each([
    ['text that is no address', 'localhost', /"localhost" is no IP address/],
    ['too long a prefix', '10.0.0.0/33', /asks for 33 bits of an address that has 32/],
    [
      'a struct with too long a prefix',
      { prefixlen: 40, data: [1, 2, 3, 4] },
      /key of map "routes": a prefix length of 40 is more than the 32 bits of its data/,
    ],
  ])('refuses %s', (_what, key, message) => expect(() => open().get(key)).toThrow(message));

  it('is walked to the end while it changes', () => {
    const map = open();
    for (let i = 0; i < 16; i++) map.set(`${i}.0.0.0/8`, i);
    let steps = 0;
    for (const [key] of map) {
      map.delete(key);
      map.set(`100.${steps % 256}.0.0/16`, 0);
      if (++steps > 1000) break;
    }
    expect(steps).toBeLessThan(1000);
  });
});
