/** New names for old ones, as bytes: what an attacker, or a bug, may have written into an object. */
export type Names = ReadonlyMap<string, Uint8Array>;

const text = new TextDecoder('latin1');
const SECTION_HEADER = 64;
const SYMBOL = 24;
const SHT_SYMTAB = 2;

/** An ELF file of 64 bits in little-endian byte order, as clang writes BPF objects, open for changes to its tables. */
class Tables {
  readonly bytes: Uint8Array;
  readonly #view: DataView;
  readonly #sections: number;
  readonly #count: number;

  constructor(bytes: Uint8Array) {
    // Not slice(): that of a Buffer is a view of the same bytes.
    this.bytes = new Uint8Array(bytes);
    this.#view = new DataView(this.bytes.buffer);
    this.#sections = Number(this.#view.getBigUint64(40, true));
    this.#count = this.#view.getUint16(60, true);
  }

  #header(index: number): number {
    return this.#sections + index * SECTION_HEADER;
  }

  /** The section's contents, not a copy. */
  contents(index: number): Uint8Array {
    const header = this.#header(index);
    const offset = Number(this.#view.getBigUint64(header + 24, true));
    return this.bytes.subarray(offset, offset + Number(this.#view.getBigUint64(header + 32, true)));
  }

  /** The sections that hold the names of symbols, of sections, and BTF. */
  find(): { symbols: number; symbolNames: number; sectionNames: number; btf: number } {
    const sectionNames = this.#view.getUint16(62, true);
    const all = Array.from({ length: this.#count }, (_, index) => index);
    const symbols = all.find((index) => this.#view.getUint32(this.#header(index) + 4, true) === SHT_SYMTAB);
    const nameOf = (index: number) =>
      stringAt(this.contents(sectionNames), this.#view.getUint32(this.#header(index), true));
    const btf = all.find((index) => nameOf(index) === '.BTF');
    if (symbols === undefined || btf === undefined) throw new Error('no symbols, or no BTF');
    const symbolNames = this.#view.getUint32(this.#header(symbols) + 40, true);
    return { symbols, symbolNames, sectionNames, btf };
  }

  /** The same file with other contents of some sections, which go to its end. */
  with(contents: ReadonlyMap<number, Uint8Array>): Tables {
    const parts: Uint8Array[] = [this.bytes];
    let end = this.bytes.length;
    for (const part of contents.values()) {
      const padding = new Uint8Array(-end & 7);
      parts.push(padding, part);
      end += padding.length + part.length;
    }
    const grown = new Tables(Buffer.concat(parts));
    let at = this.bytes.length;
    for (const [index, part] of contents) {
      at += -at & 7;
      grown.#view.setBigUint64(grown.#header(index) + 24, BigInt(at), true);
      grown.#view.setBigUint64(grown.#header(index) + 32, BigInt(part.length), true);
      at += part.length;
    }
    return grown;
  }

  /** Where names of sections stand. */
  sectionNamePlaces(): DataView[] {
    return Array.from({ length: this.#count }, (_, index) => this.#word(this.#header(index)));
  }

  /** Where names of symbols stand. */
  symbolNamePlaces(symbols: number): DataView[] {
    const { byteOffset, length } = this.contents(symbols);
    return Array.from({ length: length / SYMBOL }, (_, index) => this.#word(byteOffset + index * SYMBOL));
  }

  #word(at: number): DataView {
    return new DataView(this.bytes.buffer, at, 4);
  }
}

/** The object with other names of any length: strings are added to its tables, and what had the old name gets the new. */
export function renamed(object: Uint8Array, names: Names): Uint8Array {
  const old = new Tables(object);
  const { symbols, symbolNames, sectionNames, btf } = old.find();
  const grownNames = new Map(
    [symbolNames, sectionNames].map((index) => [index, added(old.contents(index), names)]),
  );
  const types = old.contents(btf);
  const header = new DataView(types.buffer, types.byteOffset);
  const [start, length] = [
    header.getUint32(16, true) + header.getUint32(4, true),
    header.getUint32(20, true),
  ];
  const strings = added(types.subarray(start, start + length), names);
  const grownTypes = Buffer.concat([types.subarray(0, start), strings.table]);
  grownTypes.writeUInt32LE(strings.table.length, 20);

  const grown = old.with(
    new Map([...[...grownNames].map(([index, { table }]) => [index, table] as const), [btf, grownTypes]]),
  );
  const point = (places: DataView[], found: Added | undefined) => {
    for (const place of places) {
      const to = found?.moved.get(stringAt(found.table, place.getUint32(0, true)));
      if (to !== undefined) place.setUint32(0, to, true);
    }
  };
  point(grown.sectionNamePlaces(), grownNames.get(sectionNames));
  point(grown.symbolNamePlaces(symbols), grownNames.get(symbolNames));
  point(btfNamePlaces(grown.contents(btf)), strings);
  return grown.bytes;
}

/** The object with other names in the places of the old ones, cut or filled with zeros. */
export function renamedInPlace(object: Uint8Array, names: Names): Uint8Array {
  const { bytes } = new Tables(object);
  const file = Buffer.from(bytes.buffer);
  for (const [name, other] of names) {
    const whole = `\0${name}\0`;
    for (let at = file.indexOf(whole, 0, 'latin1'); at >= 0; at = file.indexOf(whole, at + 1, 'latin1')) {
      bytes.fill(0, at + 1, at + 1 + name.length);
      bytes.set(other.subarray(0, name.length), at + 1);
    }
  }
  return bytes;
}

/** The names that BTF gives to something: types, members, values, variables, functions, sections. */
export function namesOf(object: Uint8Array): string[] {
  const tables = new Tables(object);
  const btf = tables.contents(tables.find().btf);
  const header = new DataView(btf.buffer, btf.byteOffset);
  const strings = btf.subarray(header.getUint32(16, true) + header.getUint32(4, true));
  const names = btfNamePlaces(btf).map((place) => stringAt(strings, place.getUint32(0, true)));
  return [...new Set(names)].filter((name) => name !== '');
}

interface Added {
  readonly table: Uint8Array;
  /** Where the new name of an old one begins. */
  readonly moved: ReadonlyMap<string, number>;
}

function added(strings: Uint8Array, names: Names): Added {
  const moved = new Map<string, number>();
  const parts: Uint8Array[] = [strings];
  let end = strings.length;
  for (const [name, other] of names) {
    moved.set(name, end);
    parts.push(other, new Uint8Array(1));
    end += other.length + 1;
  }
  return { table: Buffer.concat(parts), moved };
}

function stringAt(strings: Uint8Array, at: number): string {
  return text.decode(strings.subarray(at, strings.indexOf(0, at)));
}

/** Bytes behind each kind's head, and how far apart names stand in them (Documentation/bpf/btf.rst). */
const shapes: Readonly<Record<number, (vlen: number) => { size: number; step?: number }>> = {
  1: () => ({ size: 4 }),
  3: () => ({ size: 12 }),
  4: (vlen) => ({ size: 12 * vlen, step: 12 }),
  5: (vlen) => ({ size: 12 * vlen, step: 12 }),
  6: (vlen) => ({ size: 8 * vlen, step: 8 }),
  13: (vlen) => ({ size: 8 * vlen, step: 8 }),
  14: () => ({ size: 4 }),
  15: (vlen) => ({ size: 12 * vlen }),
  17: () => ({ size: 4 }),
  19: (vlen) => ({ size: 12 * vlen, step: 12 }),
};

function btfNamePlaces(btf: Uint8Array): DataView[] {
  const view = new DataView(btf.buffer, btf.byteOffset, btf.length);
  const first = view.getUint32(4, true) + view.getUint32(8, true);
  const end = first + view.getUint32(12, true);
  const places: DataView[] = [];
  for (let at = first; at < end; ) {
    const place = (offset: number) => new DataView(btf.buffer, btf.byteOffset + offset, 4);
    places.push(place(at));
    const info = view.getUint32(at + 4, true);
    const { size, step } = shapes[(info >> 24) & 0x1f]?.(info & 0xffff) ?? { size: 0 };
    for (let member = at + 12; step !== undefined && member < at + 12 + size; member += step) {
      places.push(place(member));
    }
    at += 12 + size;
  }
  return places;
}
