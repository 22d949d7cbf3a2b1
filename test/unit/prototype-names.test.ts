import { beforeEach, describe, expect, it } from 'vitest';
import type { Codec } from '../../runtime/src/codec/codec.js';
import { fromJson } from '../../runtime/src/codec/from-json.js';
import { snapshot, toJson } from '../../runtime/src/codec/json.js';
import { type FakeKernel, fakeKernel } from '../../runtime/src/testing/index.js';
import { Constructor, IsPrototypeOf, prototype } from '../golden/prototype/expected.skel.ts';

// Names that every object has already are names like any other. `__proto__` in brackets is one in a literal too.

const PROTO = '__proto__';
let kernel: FakeKernel;
beforeEach(() => {
  kernel = fakeKernel();
});

const value: Constructor = {
  [PROTO]: 1,
  constructor: 2,
  toString: 'three',
  valueOf: 7,
  hasOwnProperty: { [PROTO]: 0x50004, constructor: [4, 5] },
  toJSON: 6n,
};

describe('a skeleton of an object with the names of Object.prototype', () => {
  it('has its maps and programs by name', () => {
    using skel = prototype.open({ kernel }).load();
    expect(Object.keys(skel.maps).slice(0, 2)).toEqual([PROTO, 'constructor']);
    expect(skel.maps[PROTO].constructor.name).toBe('HashMap');
    expect(skel.maps.constructor.constructor.name).toBe('RingBuffer');
    expect(Object.keys(skel.progs)).toEqual(['toLocaleString', 'isPrototypeOf']);
    expect(skel.links.toLocaleString).toBeUndefined();
  });

  it('has open maps and programs by name', () => {
    using open = prototype.open({ kernel });
    open.maps[PROTO].maxEntries = 4;
    open.progs.isPrototypeOf.autoload = false;
    using skel = open.load();
    expect(skel.maps[PROTO].maxEntries).toBe(4);
  });

  it('writes and reads structs with such fields', () => {
    using skel = prototype.open({ kernel }).load();
    skel.maps[PROTO].set(1, value);
    const read = skel.maps[PROTO].get(1);
    expect(read).toEqual(value);
    expect(Object.keys(read ?? {})).toEqual(Object.keys(value));
    expect(Object.getPrototypeOf(read)).toBe(Object.prototype);
  });

  it('shows and sets global variables of such names', () => {
    using open = prototype.open({ kernel });
    open.rodata.toString = 8;
    open.bss.valueOf = value;
    using skel = open.load();
    expect(skel.rodata.toString).toBe(8);
    expect(skel.data.hasOwnProperty).toBe(3);
    expect(skel.data___proto__.__defineGetter__).toBe(9);
    skel.bss.valueOf[PROTO] = 11;
    expect(skel.bss.valueOf[PROTO]).toBe(11);
    expect(snapshot(skel.bss.valueOf)).toEqual({ ...value, [PROTO]: 11 });
    skel.bss.valueOf.constructor = 12;
    expect(skel.bss.valueOf.constructor).toBe(12);
  });

  it('goes to JSON and back', () => {
    using skel = prototype.open({ kernel }).load();
    skel.bss.valueOf = value;
    const json = toJson(skel.bss.valueOf);
    expect(json).toContain('"__proto__":1,');
    expect(fromJson(Constructor as Codec<Constructor>, json)).toEqual(value);
  });
});

describe('an arm of a union with a name of Object.prototype', () => {
  const bytes = (of: IsPrototypeOf) => {
    const view = new DataView(new ArrayBuffer(4));
    IsPrototypeOf.write(view, 0, of);
    return [...new Uint8Array(view.buffer)];
  };

  it('is written when it is given, and only then', () => {
    // TypeScript believes that this object has a constructor.
    const one = { [PROTO]: 0x50004 } as never;
    expect(bytes(IsPrototypeOf.of(one))).toEqual([4, 0, 5, 0]);
    expect(bytes(one)).toEqual([4, 0, 5, 0]);
    expect(bytes(IsPrototypeOf.of({ constructor: [1, 2] }))).toEqual([1, 0, 2, 0]);
  });
});
