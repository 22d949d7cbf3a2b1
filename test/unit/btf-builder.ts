import { Btf } from '../../runtime/src/btf/btf.js';

export interface Member {
  readonly name: string;
  readonly type: number;
  /** Byte offset, or `bit` in bits. */
  readonly at?: number;
  readonly bit?: number;
  /** Makes it a bitfield. */
  readonly bits?: number;
}

/** Writes BTF by hand, a type at a time; every method returns the new type's id. */
export class BtfBuilder {
  readonly #words: number[] = [];
  readonly #little: boolean;
  readonly #base: Btf | undefined;
  readonly #stringBase: number;
  #strings = '\0';
  #next: number;

  constructor(options: { littleEndian?: boolean; base?: Btf } = {}) {
    this.#little = options.littleEndian ?? true;
    this.#base = options.base;
    this.#next = options.base?.endId ?? 1;
    this.#stringBase =
      options.base === undefined ? 0 : options.base.firstString + options.base.tables.stringsSize;
  }

  int(
    name: string,
    size: number,
    encoding: 'signed' | 'unsigned' | 'char' | 'bool' = 'signed',
    shift = 0,
  ): number {
    const bits = { unsigned: 0, signed: 1, char: 2, bool: 4 }[encoding];
    return this.#type(name, 1, 0, size, [(bits << 24) | (shift << 16) | (size * 8)]);
  }
  ptr(type: number): number {
    return this.#type('', 2, 0, type);
  }
  array(element: number, length: number): number {
    return this.#type('', 3, 0, 0, [element, 0, length]);
  }
  struct(
    name: string,
    size: number,
    members: readonly Member[],
    kind: 'struct' | 'union' = 'struct',
  ): number {
    const flag = members.some(({ bits }) => bits !== undefined);
    const words = members.flatMap(({ name, type, at = 0, bit = at * 8, bits = 0 }) => [
      this.#string(name),
      type,
      flag ? (bits << 24) | bit : bit,
    ]);
    return this.#type(name, kind === 'struct' ? 4 : 5, members.length, size, words, flag);
  }
  union(name: string, size: number, members: readonly Member[]): number {
    return this.struct(name, size, members, 'union');
  }
  enum(
    name: string,
    values: readonly (readonly [string, number])[],
    options: { size?: number; signed?: boolean } = {},
  ): number {
    const words = values.flatMap(([name, value]) => [this.#string(name), value]);
    return this.#type(name, 6, values.length, options.size ?? 4, words, options.signed ?? false);
  }
  enum64(name: string, values: readonly (readonly [string, bigint])[], signed = false): number {
    const words = values.flatMap(([name, value]) => [
      this.#string(name),
      Number(BigInt.asUintN(32, value)),
      Number(BigInt.asUintN(32, value >> 32n)),
    ]);
    return this.#type(name, 19, values.length, 8, words, signed);
  }
  fwd(name: string, union = false): number {
    return this.#type(name, 7, 0, 0, [], union);
  }
  typedef(name: string, type: number): number {
    return this.#type(name, 8, 0, type);
  }
  volatile(type: number): number {
    return this.#type('', 9, 0, type);
  }
  const(type: number): number {
    return this.#type('', 10, 0, type);
  }
  func(name: string, prototype: number, linkage: 0 | 1 | 2 = 1): number {
    return this.#type(name, 12, linkage, prototype);
  }
  prototype(returns: number, params: readonly (readonly [string, number])[]): number {
    return this.#type(
      '',
      13,
      params.length,
      returns,
      params.flatMap(([name, type]) => [this.#string(name), type]),
    );
  }
  variable(name: string, type: number, linkage: 0 | 1 | 2 = 1): number {
    return this.#type(name, 14, 0, type, [linkage]);
  }
  section(name: string, size: number, entries: readonly (readonly [number, number, number])[]): number {
    return this.#type(name, 15, entries.length, size, entries.flat());
  }
  float(name: string, size: number): number {
    return this.#type(name, 16, 0, size);
  }
  declTag(name: string, type: number, component = -1): number {
    return this.#type(name, 17, 0, type, [component]);
  }
  typeTag(name: string, type: number): number {
    return this.#type(name, 18, 0, type);
  }

  bytes(): Uint8Array {
    const strings = new TextEncoder().encode(
      this.#base === undefined ? this.#strings : this.#strings.slice(1),
    );
    const size = this.#words.length * 4;
    const bytes = new Uint8Array(24 + size + strings.length);
    const view = new DataView(bytes.buffer);
    view.setUint16(0, 0xeb9f, this.#little);
    view.setUint8(2, 1);
    [24, 0, size, size, strings.length].forEach((word, i) => {
      view.setUint32(4 + i * 4, word, this.#little);
    });
    this.#words.forEach((word, i) => {
      view.setUint32(24 + i * 4, word, this.#little);
    });
    bytes.set(strings, 24 + size);
    return bytes;
  }

  btf(): Btf {
    return Btf.parse(this.bytes(), { base: this.#base });
  }

  #type(
    name: string,
    kind: number,
    count: number,
    sizeOrType: number,
    more: readonly number[] = [],
    flag = false,
  ): number {
    this.#words.push(
      this.#string(name),
      ((flag ? 0x80000000 : 0) | (kind << 24) | count) >>> 0,
      sizeOrType,
      ...more,
    );
    return this.#next++;
  }

  #string(text: string): number {
    if (text === '') return 0;
    // With a base, offset 0 of this table is not the empty string.
    const at = this.#stringBase + this.#strings.length - (this.#base === undefined ? 0 : 1);
    this.#strings += `${text}\0`;
    return at;
  }
}
