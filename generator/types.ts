import type { Btf, BtfArray, BtfEnum, BtfEnum64, BtfInt, BtfType } from '@bpfskel/runtime/inspect';
import type { Field } from './fields.js';
import { endsFlexible, isFlexible, isLast } from './flexible.js';
import type { Imports } from './imports.js';
import type { Scope } from './names.js';
import { propertyAccess } from './quote.js';
import type { Reached, ReachedTypes } from './reach.js';

/** How 64-bit integers appear in TypeScript. */
export type Wide = 'bigint' | 'number';

/** The code for one C type. Expressions read from `v` (a DataView); `at` is a byte offset such as `o + 8`. */
export interface TypeCode {
  /** The TypeScript type. */
  readonly ts: string;
  /** An expression for its codec. */
  codec(): string;
  read(at: string): string;
  /** A statement that stores `value`. */
  write(at: string, value: string): string;
}

/** DataView methods by what they read; the codec of the same thing is called `codec`, `codec`be in big-endian objects. */
interface Scalar {
  readonly codec: string;
  readonly method: string;
  readonly ts: 'number' | 'bigint';
}
const scalars: Readonly<Record<string, Scalar>> = {
  u1: { codec: 'u8', method: 'Uint8', ts: 'number' },
  i1: { codec: 'i8', method: 'Int8', ts: 'number' },
  u2: { codec: 'u16', method: 'Uint16', ts: 'number' },
  i2: { codec: 'i16', method: 'Int16', ts: 'number' },
  u4: { codec: 'u32', method: 'Uint32', ts: 'number' },
  i4: { codec: 'i32', method: 'Int32', ts: 'number' },
  u8: { codec: 'u64', method: 'BigUint64', ts: 'bigint' },
  i8: { codec: 'i64', method: 'BigInt64', ts: 'bigint' },
  f4: { codec: 'f32', method: 'Float32', ts: 'number' },
  f8: { codec: 'f64', method: 'Float64', ts: 'number' },
};

/** The one table of C types: what each is in TypeScript, and the expressions that read and write it. */
export class TypeTable {
  readonly #btf: Btf;
  readonly #reached: ReachedTypes;
  readonly #imports: Imports;
  readonly #scope: Scope;
  readonly #wide: Wide;
  /** Codecs of array elements that are arrays themselves, by the expression that makes them. */
  readonly #elements = new Map<string, { name: string; ts: string; codec: string }>();

  constructor(parts: { btf: Btf; reached: ReachedTypes; imports: Imports; scope: Scope; wide: Wide }) {
    this.#btf = parts.btf;
    this.#reached = parts.reached;
    this.#imports = parts.imports;
    this.#scope = parts.scope;
    this.#wide = parts.wide;
  }

  /** Constants that the code of the types uses; they go behind the types. */
  elements(): readonly { readonly name: string; readonly ts: string; readonly codec: string }[] {
    return [...this.#elements.values()];
  }

  /** The code for a type. Its structs, unions and enums must have been reached before. */
  of(typeId: number): TypeCode {
    const type = this.#btf.resolve(typeId);
    switch (type.kind) {
      case 'int':
        return this.#int(type);
      case 'ptr':
        return this.#scalar('u8', 'bigint');
      case 'float':
        return type.size === 4 || type.size === 8 ? this.#scalar(`f${type.size}`) : this.bytes(type.size);
      case 'enum':
      case 'enum64':
        return this.#enum(type, this.#scalar(`${type.signed ? 'i' : 'u'}${type.size}`, this.#wideOf(type)));
      case 'array':
        return this.#array(type);
      case 'struct':
      case 'union':
        return this.#composite(type);
      default:
        return this.bytes(this.#btf.sizeOf(typeId));
    }
  }

  /** An integer of which only the size is known; any other size is bytes. */
  untyped(size: number): TypeCode {
    return [1, 2, 4, 8].includes(size) ? this.#scalar(`u${size}`, this.#wide) : this.bytes(size);
  }

  bytes(size: number): TypeCode {
    return {
      ts: 'Uint8Array',
      codec: () => `${this.#imports.value('bytes')}(${size})`,
      read: (at) => `${this.#imports.value('readBytes')}(v, ${at}, ${size})`,
      write: (at, value) => `${this.#imports.value('putBytes')}(v, ${at}, ${size}, ${value})`,
    };
  }

  /**
   * The code for a member of `owner`, with `at` already in place; `value` is what is written. `rest` is set for the flexible
   * array that ends it: how many bytes a value takes from the start of the owner.
   */
  field(
    field: Field,
    owner: Reached & { kind: 'composite' },
    value = propertyAccess('x', field.name),
  ): { ts: string; read: string; write: string; rest: string | undefined } {
    const at = offset(field.bitOffset >> 3);
    const type = this.#btf.resolve(field.typeId);
    const bits = bitfield(field, type);
    if (bits !== undefined) {
      return { ...this.#bits(type, bits, value), rest: undefined };
    }
    if (isFlexible(this.#btf, field, owner)) {
      // Several end a struct when those before the last are marks without bytes: `__u32 words[0]; char text[];`
      const shared = owner.fields.some((one) => one !== field && isFlexible(this.#btf, one, owner));
      return field.bytes ? this.#restBytes(field, value) : this.#rest(type, field, value, shared);
    }
    const code = this.#whole(field);
    const rest =
      !field.bytes && isLast(this.#btf, field, owner) && endsFlexible(this.#btf, this.#reached, type);
    const read = rest ? `${code.codec()}.read(v, ${at}, end)` : code.read(at);
    const size = () =>
      `${field.bitOffset >> 3} + ${this.#imports.value('sizeOf')}(${code.codec()}, ${value})`;
    return { ts: code.ts, read, write: code.write(at, value), rest: rest ? size() : undefined };
  }

  /** The codec of a member by itself and the byte that it begins at, for live values. */
  alone(field: Field, owner: Reached & { kind: 'composite' }): { at: number; codec: string } {
    const type = this.#btf.resolve(field.typeId);
    const bits = bitfield(field, type);
    const at = field.bitOffset >> 3;
    if (bits !== undefined) {
      const { bit, width } = bits;
      const { read, write } = this.#bits(type, { ...bits, bit: bit & 7 }, 'x');
      const size = ((bit & 7) + width + 7) >> 3;
      const make = this.#imports.value('struct');
      return { at: bit >> 3, codec: `${make}(${size}, (v, o) => ${read}, (v, o, x) => ${write})` };
    }
    if (!isFlexible(this.#btf, field, owner) || type.kind !== 'array') {
      return { at, codec: this.#whole(field).codec() };
    }
    if (field.bytes) return { at, codec: this.#imports.value('restBytes') };
    if (isChar(this.#btf.resolve(type.element))) return { at, codec: this.#imports.value('restText') };
    return { at, codec: `${this.#imports.value('restOf')}(${this.of(type.element).codec()})` };
  }

  /** The code for a member that is neither a bitfield nor flexible. */
  #whole({ typeId, bytes }: Field): TypeCode {
    return bytes ? this.bytes(this.#btf.sizeOf(typeId)) : this.of(typeId);
  }

  #restBytes({ bitOffset }: Field, value: string): RestCode {
    const at = offset(bitOffset >> 3);
    return {
      rest: `${bitOffset >> 3} + ${value}.length`,
      ts: 'Uint8Array',
      read: `${this.#imports.value('readRestBytes')}(v, ${at}, end)`,
      write: `${this.#imports.value('writeRestBytes')}(v, ${at}, ${value})`,
    };
  }

  #int(type: BtfInt): TypeCode {
    if (type.bool && type.size === 1) return this.#bool();
    if (type.size === 16) return this.#wideInt(type.signed);
    const kind = `${type.signed ? 'i' : 'u'}${type.size}`;
    return kind in scalars ? this.#scalar(kind, this.#wide) : this.bytes(type.size);
  }

  #bool(): TypeCode {
    return {
      ts: 'boolean',
      codec: () => this.#imports.value('bool'),
      read: (at) => `v.getUint8(${at}) !== 0`,
      write: (at, value) => `${this.#imports.value('putBool')}(v, ${at}, ${value})`,
    };
  }

  #wideInt(signed: boolean): TypeCode {
    const name = signed ? 'i128' : 'u128';
    const get = signed ? 'getInt128' : 'getUint128';
    return {
      ts: 'bigint',
      codec: () => this.#codec(name),
      read: (at) => `${this.#imports.value(get)}(v, ${at}, ${this.#little})`,
      write: (at, value) => `${this.#imports.value('putInt128')}(v, ${at}, ${value}, ${this.#little})`,
    };
  }

  #scalar(kind: string, wide: Wide = 'bigint'): TypeCode {
    const scalar = scalars[kind];
    if (scalar === undefined) return this.bytes(Number(kind.slice(1)));
    const order = scalar.method.endsWith('8') ? '' : `, ${this.#little}`;
    const read = (at: string) => `v.get${scalar.method}(${at}${order})`;
    const write = (at: string, value: string) => `v.set${scalar.method}(${at}, ${value}${order})`;
    if (scalar.ts === 'bigint' && wide === 'number') {
      const get = kind === 'i8' ? 'getSafeInt64' : 'getSafeUint64';
      const put = kind === 'i8' ? 'putSafeInt64' : 'putSafeUint64';
      return {
        ts: 'number',
        codec: () => this.#codec(`${scalar.codec}n`),
        read: (at) => `${this.#imports.value(get)}(v, ${at}, ${this.#little})`,
        write: (at, value) => `${this.#imports.value(put)}(v, ${at}, ${value}, ${this.#little})`,
      };
    }
    if (scalar.method.startsWith('Float')) {
      const put = (at: string, value: string) =>
        `${this.#imports.value(`put${scalar.method}`)}(v, ${at}, ${value}, ${this.#little})`;
      return { ts: scalar.ts, codec: () => this.#codec(scalar.codec), read, write: put };
    }
    return { ts: scalar.ts, codec: () => this.#codec(scalar.codec), read, write };
  }

  #wideOf(type: BtfType): Wide {
    return type.kind === 'enum64' ? wideOfEnum(type, this.#wide) : this.#wide;
  }

  #enum(type: BtfType, base: TypeCode): TypeCode {
    const name = this.#reached.get(type)?.name ?? base.ts;
    return {
      ts: name,
      codec: () => `${base.codec()} as ${this.#imports.type('Codec')}<${name}>`,
      read: (at) => `${base.read(at)} as ${name}`,
      write: base.write,
    };
  }

  #composite(type: BtfType): TypeCode {
    const name = this.#reached.get(type)?.name ?? 'never';
    return {
      ts: name,
      codec: () => name,
      read: (at) => `${name}.read(v, ${at})`,
      write: (at, value) => `${name}.write(v, ${at}, ${value})`,
    };
  }

  #array(type: BtfArray): TypeCode {
    const { length } = type;
    if (isChar(this.#btf.resolve(type.element))) {
      return {
        ts: 'string',
        codec: () => `${this.#imports.value('text')}(${length})`,
        read: (at) => `${this.#imports.value('cstring')}(v, ${at}, ${length})`,
        write: (at, value) => `${this.#imports.value('putCstring')}(v, ${at}, ${length}, ${value})`,
      };
    }
    const element = this.of(type.element);
    return {
      ts: `${element.ts}[]`,
      codec: () => `${this.#imports.value('arrayOf')}(${element.codec()}, ${length})`,
      read: (at) => `${this.#imports.value('readArray')}(v, ${at}, ${this.#element(element)}, ${length})`,
      write: (at, value) =>
        `${this.#imports.value('writeArray')}(v, ${at}, ${this.#element(element)}, ${length}, ${value})`,
    };
  }

  #rest(type: BtfType, { bitOffset }: Field, value: string, shared: boolean): RestCode {
    if (type.kind !== 'array') throw new Error('only arrays are flexible');
    const start = bitOffset >> 3;
    const at = offset(start);
    if (isChar(this.#btf.resolve(type.element))) {
      return {
        ts: 'string',
        rest: `${start} + ${this.#imports.value('textSize')}(${value})`,
        read: `${this.#imports.value('readRestText')}(v, ${at}, end)`,
        write: `${this.#imports.value('writeRestText')}(v, ${at}, ${value}${shared ? ', true' : ''})`,
      };
    }
    const element = this.of(type.element);
    const size = this.#btf.sizeOf(type.element);
    return {
      ts: `${element.ts}[]`,
      rest: `${start} + ${size === 1 ? '' : `${size} * `}${value}.length`,
      read: `${this.#imports.value('readRest')}(v, ${at}, ${this.#element(element)}, end)`,
      write: `${this.#imports.value('writeRest')}(v, ${at}, ${this.#element(element)}, ${value})`,
    };
  }

  /** The codec of an array's elements; one that would be made anew for every record becomes a constant. */
  #element(element: TypeCode): string {
    const codec = element.codec();
    if (!codec.includes('(')) return codec;
    const known = this.#elements.get(codec);
    if (known !== undefined) return known.name;
    const name = this.#scope.claim(elementName(codec));
    this.#elements.set(codec, { name, ts: `${this.#imports.type('Codec')}<${element.ts}>`, codec });
    return name;
  }

  #bits(
    type: BtfType,
    { bit, width, signed }: Bits,
    value: string,
  ): { ts: string; read: string; write: string } {
    const size = 'size' in type ? type.size : 4;
    const big = this.#wideOf(type) === 'bigint' && (width > 32 || size > 4);
    const name = type.kind === 'enum' || type.kind === 'enum64' ? this.#reached.get(type)?.name : undefined;
    const as = (read: string) => (name === undefined ? read : `${read} as ${name}`);
    const ts = name ?? (big ? 'bigint' : 'number');
    if (width === 32 && (bit & 7) === 0 && !big) {
      const whole = this.#scalar(signed ? 'i4' : 'u4');
      const at = offset(bit >> 3);
      return { ts, read: as(whole.read(at)), write: whole.write(at, value) };
    }
    const kind = big ? 'BigBits' : width > 32 ? 'SafeBits' : 'Bits';
    const call = signed ? `signed${kind}` : `${kind.charAt(0).toLowerCase()}${kind.slice(1)}`;
    const store = kind !== 'SafeBits' ? 'putBits' : signed ? 'putSignedSafeBits' : 'putSafeBits';
    const place = `v, ${offset(bit >> 3)}, ${bit & 7}, ${width}`;
    const put = (stored: string) => `${this.#imports.value(store)}(${place}, ${stored}, ${this.#little})`;
    if (width === 32 && !signed && !big) {
      // V8 boxes a number of 32 bits on its way into a call or out of it, unless it has a sign.
      const read = `${this.#imports.value('signedBits')}(${place}, ${this.#little}) >>> 0`;
      return { ts, read: as(read), write: put(`${value} | 0`) };
    }
    const read = `${this.#imports.value(call)}(${place}, ${this.#little})`;
    if (type.kind === 'int' && type.bool) {
      return { ts: 'boolean', read: `${read} !== ${big ? '0n' : '0'}`, write: put(`${value} ? 1 : 0`) };
    }
    return { ts, read: as(read), write: put(value) };
  }

  #codec(name: string): string {
    const single = name === 'u8' || name === 'i8';
    return this.#imports.value(this.#btf.littleEndian || single ? name : `${name}be`);
  }

  get #little(): string {
    return String(this.#btf.littleEndian);
  }
}

/** What values of an enum are: numbers were asked for in vain where one of its values is none. */
export function wideOfEnum({ values }: BtfEnum | BtfEnum64, wide: Wide): Wide {
  return values.every(({ value }) => Number.isSafeInteger(Number(value))) ? wide : 'bigint';
}

/**
 * Does reading drop something that other arms of a union keep? Text loses what follows its NUL, bool every bit but one,
 * and a NaN its payload. Unions write such arms first.
 */
export function isLossy(btf: Btf, reached: ReachedTypes, typeId: number): boolean {
  const type = btf.resolve(typeId);
  if (type.kind === 'float' || (type.kind === 'int' && type.bool)) return true;
  if (type.kind === 'array') {
    return isChar(btf.resolve(type.element)) || isLossy(btf, reached, type.element);
  }
  const owner = reached.get(type);
  return owner?.kind === 'composite' && owner.fields.some((field) => isLossy(btf, reached, field.typeId));
}

/** The code for a flexible array. `rest` is the end of its last element. */
interface RestCode {
  readonly ts: string;
  readonly read: string;
  readonly write: string;
  readonly rest: string;
}

interface Bits {
  readonly bit: number;
  readonly width: number;
  readonly signed: boolean;
}

function bitfield(field: Field, type: BtfType): Bits | undefined {
  const signed = 'signed' in type && type.signed;
  if (field.bitSize > 0) return { bit: field.bitOffset, width: field.bitSize, signed };
  // Old compilers put the width into the integer instead of the member.
  if (type.kind === 'int' && (type.bits !== type.size * 8 || type.bitOffset !== 0) && !type.bool) {
    return { bit: field.bitOffset + type.bitOffset, width: type.bits, signed };
  }
  return undefined;
}

function isChar(type: BtfType): boolean {
  return type.kind === 'int' && type.size === 1 && (type.char || type.name === 'char');
}

function offset(bytes: number): string {
  return bytes === 0 ? 'o' : `o + ${bytes}`;
}

/** `arrayOf(u32, 4)` becomes `u32x4`, `text(16)` becomes `text16`. */
function elementName(codec: string): string {
  return codec
    .replace(/ as \w+<\w+>/g, '')
    .replaceAll(', ', 'x')
    .replace(/arrayOf|\W/g, '');
}
