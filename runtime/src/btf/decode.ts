import type { MalformedError } from '../errors.js';
import type { BtfKind, BtfLinkage, BtfType, BtfVoid } from './types.js';

export const voidType: BtfVoid = { kind: 'void', id: 0, name: '' };

/** Kind numbers to names (include/uapi/linux/btf.h, BTF_KIND_*). */
export const kindNames: readonly BtfKind[] = [
  'void',
  'int',
  'ptr',
  'array',
  'struct',
  'union',
  'enum',
  'fwd',
  'typedef',
  'volatile',
  'const',
  'restrict',
  'func',
  'func_proto',
  'var',
  'datasec',
  'float',
  'decl_tag',
  'type_tag',
  'enum64',
];

// Bytes after the 12 every record has: fixed, and per element.
const FIXED = [0, 4, 0, 12, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 4, 0, 0, 4, 0, 0];
const EACH = [0, 0, 0, 0, 12, 12, 8, 0, 0, 0, 0, 0, 0, 8, 0, 12, 0, 0, 0, 12];

// Linux 7 widened both fields into bits that were zero before; the wider masks read old records too.
export function kindNumber(info: number): number {
  return (info >>> 24) & 0x7f;
}
export function elementCount(info: number): number {
  return info & 0xffffff;
}

/** Bytes a type record takes; 0 when its kind is not known. */
export function recordSize(info: number): number {
  const kind = kindNumber(info);
  if (kind === 0 || kind >= FIXED.length) return 0;
  return 12 + (FIXED[kind] ?? 0) + (EACH[kind] ?? 0) * elementCount(info);
}

const LINKAGE: readonly BtfLinkage[] = ['static', 'global', 'extern'];

/** What a type's bytes refer to, and how an error about it reads. */
interface Strings {
  readonly littleEndian: boolean;
  string(offset: number): string;
  malformed(id: number, what: string): MalformedError;
}

/** The type whose record starts at `at`. The scan has made sure that the whole record is there. */
export function decodeType(btf: Strings, view: DataView, id: number, at: number): BtfType {
  const little = btf.littleEndian;
  const u32 = (offset: number) => view.getUint32(at + offset, little);
  const info = u32(4);
  const kind = kindNames[kindNumber(info)] ?? 'void';
  const name = btf.string(u32(0));
  const count = elementCount(info);
  const flag = info >>> 31 !== 0;
  const size = u32(8);
  const elements = <T>(stride: number, read: (offset: number) => T): T[] => {
    const list: T[] = [];
    for (let i = 0; i < count; i++) list.push(read(12 + i * stride));
    return list;
  };
  switch (kind) {
    case 'void':
      return voidType;
    case 'int':
      return { kind, id, name, size, ...decodeInt(u32(12)) };
    case 'ptr':
      return { kind, id, name: '', type: size };
    case 'array':
      return { kind, id, name: '', element: u32(12), index: u32(16), length: u32(20) };
    case 'struct':
    case 'union': {
      const members = elements(12, (o) => {
        const where = u32(o + 8);
        return {
          name: btf.string(u32(o)),
          type: u32(o + 4),
          bitOffset: flag ? where & 0xffffff : where,
          bitSize: flag ? where >>> 24 : 0,
        };
      });
      return { kind, id, name, size, members };
    }
    case 'enum': {
      const values = elements(8, (o) => ({
        name: btf.string(u32(o)),
        value: flag ? u32(o + 4) | 0 : u32(o + 4),
      }));
      return { kind, id, name, size, signed: flag, values };
    }
    case 'enum64': {
      const values = elements(12, (o) => ({
        name: btf.string(u32(o)),
        value: enum64Value(u32(o + 4), u32(o + 8), flag),
      }));
      return { kind, id, name, size, signed: flag, values };
    }
    case 'fwd':
      return { kind, id, name, union: flag };
    case 'typedef':
    case 'volatile':
    case 'const':
    case 'restrict':
    case 'type_tag':
      return { kind, id, name, type: size };
    case 'func':
      return { kind, id, name, type: size, linkage: linkage(btf, id, count) };
    case 'func_proto': {
      const params = elements(8, (o) => ({ name: btf.string(u32(o)), type: u32(o + 4) }));
      return { kind, id, name: '', returns: size, params };
    }
    case 'var':
      return { kind, id, name, type: size, linkage: linkage(btf, id, u32(12)) };
    case 'datasec': {
      const vars = elements(12, (o) => ({ type: u32(o), offset: u32(o + 4), size: u32(o + 8) }));
      return { kind, id, name, size, vars };
    }
    case 'float':
      return { kind, id, name, size };
    case 'decl_tag':
      return { kind, id, name, type: size, component: u32(12) | 0 };
  }
}

function decodeInt(data: number) {
  const encoding = (data >>> 24) & 0x0f;
  return {
    bits: data & 0xff,
    bitOffset: (data >>> 16) & 0xff,
    signed: (encoding & 1) !== 0,
    char: (encoding & 2) !== 0,
    bool: (encoding & 4) !== 0,
  };
}

function enum64Value(low: number, high: number, signed: boolean): bigint {
  const value = (BigInt(high) << 32n) | BigInt(low);
  return signed ? BigInt.asIntN(64, value) : value;
}

function linkage(btf: Strings, id: number, value: number): BtfLinkage {
  const known = LINKAGE[value];
  if (known === undefined) throw btf.malformed(id, `linkage ${value} is not known`);
  return known;
}
