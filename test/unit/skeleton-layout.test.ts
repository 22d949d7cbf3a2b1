import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Codec, CodecField } from '../../runtime/src/codec/codec.js';
import {
  array,
  arrayOfMaps,
  at,
  type Description,
  hash,
  i32,
  kprobe,
  otherProgram,
  perfEventArray,
  readObjectFile,
  ringbuf,
  skeleton,
  struct,
  text,
  u32,
  u64,
  xdp,
} from '../../runtime/src/codegen/v1.js';

const golden = (name: string) => fileURLToPath(new URL(`../golden/${name}/in.bpf.o`, import.meta.url));
const none = { maps: {}, progs: {}, globals: {} };

/** A skeleton of a golden object that states something. */
function stating(object: string, stated: Partial<Description>) {
  return skeleton({ name: object, ...none, ...stated, elf: () => readFileSync(golden(object)) });
}

/** A struct of which only the places of its fields matter here. */
function pair(fields: Readonly<Record<string, CodecField>>, size = 8): Codec<object> {
  const untouched = () => ({});
  return struct<object>(size, untouched, untouched, () => fields);
}

function holder(offset: number, server: Codec<object>): Codec<object> {
  return pair({ server: at(offset, server) }, 40);
}

describe('a skeleton that states another layout than its object has is refused', () => {
  it.each<[string, string, Partial<Description>, string]>([
    [
      'values of a struct of another size',
      'maps',
      { maps: { plain: hash(u32, u32) } },
      'open maps: values of map "plain" are struct stats, 8 bytes, in the object and 4 bytes in the skeleton; ' +
        'generate the skeleton again from the object: bpfskel gen',
    ],
    [
      'keys of another size',
      'maps',
      { maps: { recent: hash(u32, u64) } },
      'keys of map "recent" are __u64, 8 bytes, in the object and 4 bytes in the skeleton',
    ],
    [
      'keys whose type the object does not tell',
      'maps',
      { maps: { sizes_only: hash(u32, text(24)) } },
      'keys of map "sizes_only" are 8 bytes in the object and 4 bytes in the skeleton',
    ],
    [
      'inner maps of another size',
      'map_in_map',
      { maps: { outer: arrayOfMaps(hash(u64, u64)) } },
      'keys of the maps in map "outer" are __u32, 4 bytes, in the object and 8 bytes in the skeleton',
    ],
    [
      'a map of another type',
      'maps',
      { maps: { recent: hash(u64, u64) } },
      'map "recent" is BPF_MAP_TYPE_LRU_HASH in the object and hash() in the skeleton',
    ],
    ['a map it lacks', 'maps', { maps: { gone: array(u32) } }, 'the object has no map "gone"'],
    ['a program it lacks', 'programs', { progs: { gone: xdp('xdp') } }, 'the object has no program "gone"'],
    [
      'a program of another kind',
      'programs',
      { progs: { drop: kprobe('kprobe/x') } },
      'program "drop" is SEC("xdp") in the object and SEC("kprobe/x") in the skeleton',
    ],
    [
      'a section it lacks',
      'maps',
      { globals: { bss: { seen: at(0, u64) } } },
      'the object has no global data "bss"',
    ],
    [
      'a variable it lacks',
      'globals',
      { globals: { bss: { gone: at(0, u64) } } },
      'the object has no variable bss.gone',
    ],
    [
      'a static variable, which is in no skeleton',
      'globals',
      { globals: { bss: { hidden_from_skeletons: at(0, u32) } } },
      'the object has no variable bss.hidden_from_skeletons',
    ],
    [
      'a variable elsewhere',
      'globals',
      { globals: { bss: { seen: at(16, u64) } } },
      'bss.seen is __u64, 8 bytes, at 24 in the object and 8 bytes at 16 in the skeleton',
    ],
    [
      'a variable of another size',
      'globals',
      { globals: { rodata: { prefix: at(0, text(16)) } } },
      'rodata.prefix is char[8], 8 bytes, at 0 in the object and 16 bytes at 0 in the skeleton',
    ],
    [
      'fields of a variable that changed places',
      'globals',
      { globals: { bss: { point: at(8, pair({ x: at(4, i32), y: at(0, i32) })) } } },
      'bss.point: x of a struct is 4 bytes at 0 in the object and 4 bytes at 4 in the skeleton',
    ],
    [
      'a field of another size, deep inside',
      'live_globals',
      { globals: { rodata: { config: at(0, holder(24, pair({ port: at(0, u32) }, 16))) } } },
      'rodata.config: port of struct inner is 2 bytes at 0 in the object and 4 bytes at 0 in the skeleton',
    ],
    [
      'records of a struct of another size',
      'ringbuf',
      { maps: { typed: ringbuf(pair({}, 24)) } },
      'records of map "typed" are struct event, 20 bytes, in the object and 24 bytes in the skeleton',
    ],
    [
      'records that a tag names',
      'ringbuf',
      { maps: { tagged: ringbuf(pair({}, 24)) } },
      'records of map "tagged" are struct event, 20 bytes, in the object and 24 bytes in the skeleton',
    ],
    [
      'records that were asked for by name',
      'ringbuf',
      { maps: { asked: perfEventArray(pair({}, 24), 'event') } },
      'records of map "asked" are struct event, 20 bytes, in the object and 24 bytes in the skeleton',
    ],
    ['a name that hides', 'maps', { maps: { '\u202eplain': array(u32) } }, 'has no map "\\u{202e}plain"'],
  ])('when it states %s', (_, object, stated, expected) => {
    expect(() => stating(object, stated).open()).toThrow(
      expect.objectContaining({ code: 'ERR_BPF_LAYOUT', message: expect.stringContaining(expected) }),
    );
  });

  it.each<[string, Description['maps']]>([
    ['records of another type than C says, which were asked for', { typed: ringbuf(u32, '__u32') }],
    ['records of several types', { tagged: ringbuf(pair({}, 4), 'event|other') }],
    ['records of a type that the object does not tell', { asked: perfEventArray(pair({}, 24), 'gone') }],
    ['records of which C says nothing', { untyped: ringbuf(pair({}, 24)) }],
    ['records as bytes', { typed: ringbuf() }],
  ])('but not for %s', (_, maps) => {
    expect(() => stating('ringbuf', { maps }).open()).not.toThrow();
  });

  it('but not for a section that a later version of bpfskel knows', () => {
    expect(() => stating('programs', { progs: { drop: otherProgram('xdp') } }).open()).not.toThrow();
  });
});

describe('an object in a file of its own', () => {
  let folder: string;
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'bpfskel-layout-'));
  });
  afterAll(() => rmSync(folder, { recursive: true }));

  it('that was compiled again, without its skeleton, is refused when the skeleton is opened', () => {
    const file = join(folder, 'in.bpf.o');
    const elf = () => readObjectFile(pathToFileURL(file));
    const beside = () => skeleton({ name: 'beside', ...none, maps: { plain: hash(u32, u64) }, elf });
    writeFileSync(file, readFileSync(golden('globals')));
    expect(() => beside().openAndLoad()).toThrow(/^open beside: the object has no map "plain"; generate/);
    writeFileSync(file, readFileSync(golden('maps')));
    expect(() => beside().open()).not.toThrow();
  });
});
