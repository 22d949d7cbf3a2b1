// Every kind of codec there is: what skeletons call, what they export, and what maps and variables add to it.
import * as goldens from 'goldens';
import { explained } from '../../runtime/src/codec/refusal.ts';
import * as v1 from '../../runtime/src/codegen/v1.ts';
import { TrieKeyCodec } from '../../runtime/src/map/lpm-trie.ts';
import { perCpu } from '../../runtime/src/map/per-cpu.ts';
import { readAt, writeAt } from '../../runtime/src/map/place.ts';
import { raw as untyped } from '../../runtime/src/map/raw.ts';
import { redirectValue } from '../../runtime/src/map/redirect.ts';
import { indexKey, word } from '../../runtime/src/map/word.ts';

/** Bytes of what has no size of its own, or more than that. */
const REST = 24;

function isCodec(value) {
  return typeof value === 'object' && value !== null && 'read' in value && 'write' in value;
}

/** `more`: bytes that a record has beyond its type, which may end in a flexible array. */
function entry(name, codec, more = 0) {
  return { name, codec, length: codec.size + more };
}

/** @returns {Generator<{ name: string, codec: object, length: number }>} `length`: bytes of a record */
export function* codecs() {
  for (const [name, value] of Object.entries(v1)) {
    if (isCodec(value)) yield entry(name, value, value.size === 0 ? REST : 0);
  }
  for (const length of [1, 6, 16, 17, 40, 256, 2000]) yield entry(`char[${length}]`, v1.text(length));
  for (const length of [1, 6, 16, 17, 64, 65, 1000]) yield entry(`bytes(${length})`, v1.bytes(length));
  yield* arrays();
  for (const [skeleton, exported] of Object.entries(goldens)) {
    for (const [name, value] of Object.entries(exported)) {
      if (!isCodec(value)) continue;
      // A record of one of several sizes must have one of them, and is only read.
      if (name === 'SizedRecord') yield { ...entry(`${skeleton}.${name}`, value), readOnly: true };
      else yield entry(`${skeleton}.${name}`, value, REST);
    }
  }
  yield* ofMaps();
  yield* variables();
}

const named = new Map(Object.entries(v1));

function* arrays() {
  const { arrayOf, bytes, restOf, text, u32, u64 } = v1;
  for (const name of [
    'bool',
    'u8',
    'i16',
    'u16be',
    'i32',
    'u32',
    'f32',
    'f64',
    'u64',
    'u64n',
    'i64n',
    'u128',
  ]) {
    yield entry(`${name}[5]`, arrayOf(named.get(name), 5));
    yield entry(`${name}[]`, restOf(named.get(name)), 2 * REST);
  }
  yield entry('u32[300]', arrayOf(u32, 300));
  yield entry('u64[300]', arrayOf(u64, 300));
  yield entry('u32[2][3]', arrayOf(arrayOf(u32, 3), 2));
  yield entry('char[4][16]', arrayOf(text(16), 4));
  yield entry('bytes(6)[4]', arrayOf(bytes(6), 4));
}

function* ofMaps() {
  const { scalars, flexible } = goldens;
  const kernel = { littleEndian: true };
  const handle = { name: 'map', type: 1, valueSize: 8, keySize: 12, maxEntries: 2 ** 32, kernel };
  yield entry('per-CPU u64', perCpu(v1.u64, 8, 4, ''));
  yield entry('per-CPU struct', perCpu(scalars.Scalars_2, scalars.Scalars_2.size, 4, ''));
  yield entry('per-CPU flexible', perCpu(flexible.Record, 24, 4, ''));
  yield entry('value of a map', explained(v1.i32, 'value'));
  yield entry('untyped value', untyped(40, ''));
  yield entry('key of an array', indexKey(handle));
  yield entry('descriptor', word(handle));
  yield entry('value of a device map', redirectValue(handle));
  yield entry('key of a trie', new TrieKeyCodec(handle, v1.bytes(12)));
}

/** Variables in memory that programs write to at the same time. */
function* variables() {
  const { live_globals } = goldens;
  const { arrayOf, bool, i32, i64, text, u64 } = v1;
  const types = { bool, i32, i64, u64, 'u64[4]': arrayOf(u64, 4), 'char[16]': text(16) };
  for (const [name, codec] of Object.entries(types)) yield entry(`variable ${name}`, variable(codec));
  yield entry('variable struct', variable(live_globals.Stats));
}

function variable(codec) {
  let view;
  const nothing = () => undefined;
  const place = { path: 'bss.x', codec, offset: 0 };
  place.backing = { shared: true, view: () => view, assertWritable: nothing, flush: nothing };
  const at = (memory, offset) => {
    view = memory;
    place.offset = offset;
    return place;
  };
  return {
    size: codec.size,
    read: (memory, offset) => readAt(at(memory, offset)),
    write: (memory, offset, value) => writeAt(at(memory, offset), value),
  };
}
