/** A symbol of a {@link fakeBinary}. */
export interface FakeSymbol {
  readonly name: string;
  /** Bytes from the start of the code; by default each 16 after the one before. */
  readonly offset?: number;
  /** `func` by default. */
  readonly type?: 'none' | 'object' | 'func' | 'ifunc';
  /** `global` by default. */
  readonly binding?: 'local' | 'global' | 'weak';
  /** It lies in another file: in `library`, when that is known. */
  readonly imported?: boolean;
  /** `GLIBC_2.34`. */
  readonly version?: string;
  readonly library?: string;
}

/** A USDT of a {@link fakeBinary}. */
export interface FakeUsdt {
  readonly provider: string;
  readonly name: string;
  /** As the note has them: `-4@%eax 8@16(%rsp)`. */
  readonly args?: string;
  /** Bytes from the start of the code; by default each 16 after the one before. */
  readonly offset?: number;
  /** Bytes from the start of the data. */
  readonly semaphore?: number;
  /** How far the file was moved after the note was written. */
  readonly moved?: number;
}

/** What a {@link fakeBinary} is made of. */
export interface FakeBinarySpec {
  readonly bits?: 32 | 64;
  readonly bigEndian?: boolean;
  /** Its addresses are final: a program that is not position independent. */
  readonly fixed?: boolean;
  /** Exported and imported symbols; a name alone is a function. */
  readonly exports?: readonly (string | FakeSymbol)[];
  /** All other symbols; without them the file is stripped. */
  readonly symbols?: readonly (string | FakeSymbol)[];
  /** Libraries it is linked with. */
  readonly libraries?: readonly string[];
  readonly usdt?: readonly FakeUsdt[];
  /** Hexadecimal; what tells builds apart. */
  readonly buildId?: string;
  /** Name of the file that has the stripped symbols. */
  readonly debugLink?: string;
}

/** Where a {@link fakeBinary} has code and data: in the file and in memory. */
export const fakeLayout = {
  code: { offset: 0x1000, address: 0x3000, size: 0x1000 },
  data: { offset: 0x2000, address: 0x6000, size: 0x100 },
} as const;

/**
 * The bytes of a program or library for a fake kernel, so that uprobes and USDTs find their places:
 * `kernel.setFile('/usr/lib/libc.so.6', fakeBinary({ exports: ['open'] }))`.
 */
export function fakeBinary(spec: FakeBinarySpec = {}): Uint8Array {
  return new Writer(spec).file();
}

const types = { none: 0, object: 1, func: 2, ifunc: 10 } as const;
const bindings = { local: 0, global: 1, weak: 2 } as const;
const SHT = { PROGBITS: 1, SYMTAB: 2, STRTAB: 3, DYNAMIC: 6, NOTE: 7, DYNSYM: 11 } as const;
const GNU = { VERDEF: 0x6ffffffd, VERNEED: 0x6ffffffe, VERSYM: 0x6fffffff } as const;
const CODE_SECTION = 1;
const DATA_SECTION = 2;

interface Section {
  readonly name: string;
  readonly type: number;
  readonly address?: number;
  readonly bytes: ArrayLike<number>;
  readonly offset?: number;
  readonly link?: number;
  readonly entrySize?: number;
}

/** Strings, each once, the empty one first. */
class Strings {
  readonly bytes: number[] = [0];

  add(text: string): number {
    const at = this.bytes.length;
    this.bytes.push(...new TextEncoder().encode(text), 0);
    return at;
  }
}

class Writer {
  readonly #spec: FakeBinarySpec;
  readonly #wide: boolean;
  readonly #sections: Section[] = [{ name: '', type: 0, bytes: [] }];

  constructor(spec: FakeBinarySpec) {
    this.#spec = spec;
    this.#wide = spec.bits !== 32;
  }

  file(): Uint8Array {
    const { exports, symbols, libraries, usdt } = this.#spec;
    const { code, data } = fakeLayout;
    const zeros = (size: number) => new Uint8Array(size);
    this.#sections.push({ name: '.text', type: SHT.PROGBITS, ...code, bytes: zeros(code.size) });
    this.#sections.push({ name: '.data', type: SHT.PROGBITS, ...data, bytes: zeros(data.size) });
    if (exports !== undefined || libraries !== undefined) this.#addDynamic(exports ?? [], libraries ?? []);
    if (symbols !== undefined) {
      const strings = new Strings();
      const bytes = this.#symbols(symbols, strings);
      const link = this.#add('.strtab', SHT.STRTAB, strings.bytes);
      this.#add('.symtab', SHT.SYMTAB, bytes, { link, entrySize: this.#symbolSize });
    }
    if (usdt !== undefined) this.#addNotes(usdt);
    this.#addBuild(this.#spec);
    return this.#assemble();
  }

  get #symbolSize(): number {
    return this.#wide ? 24 : 16;
  }

  #add(name: string, type: number, bytes: readonly number[], more: Partial<Section> = {}): number {
    return this.#sections.push({ name, type, bytes, ...more }) - 1;
  }

  #addDynamic(exports: readonly (string | FakeSymbol)[], libraries: readonly string[]): void {
    const strings = new Strings();
    const bytes = this.#symbols(exports, strings);
    const needed = libraries.flatMap((name) => [...this.#word(1), ...this.#word(strings.add(name))]);
    const { numbers, defined, wanted } = this.#versions(exports, strings);
    const link = this.#add('.dynstr', SHT.STRTAB, strings.bytes);
    this.#add('.dynsym', SHT.DYNSYM, bytes, { link, entrySize: this.#symbolSize });
    this.#add('.gnu.version', GNU.VERSYM, numbers);
    if (defined.length > 0) this.#add('.gnu.version_d', GNU.VERDEF, defined, { link });
    if (wanted.length > 0) this.#add('.gnu.version_r', GNU.VERNEED, wanted, { link });
    this.#add('.dynamic', SHT.DYNAMIC, [...needed, ...this.#word(0), ...this.#word(0)], { link });
  }

  #symbols(symbols: readonly (string | FakeSymbol)[], strings: Strings): number[] {
    const none = Array.from({ length: this.#symbolSize }, () => 0);
    const rest = symbols.flatMap((each, index) => {
      const symbol: FakeSymbol = typeof each === 'string' ? { name: each } : each;
      const { name, offset = 16 * index + 16, type = 'func', binding = 'global', imported } = symbol;
      const section = imported ? 0 : type === 'object' ? DATA_SECTION : CODE_SECTION;
      const { address } = type === 'object' ? fakeLayout.data : fakeLayout.code;
      const value = this.#word(imported ? 0 : address + offset);
      const info = [(bindings[binding] << 4) | types[type], 0, ...this.#u16(section)];
      const at = this.#u32(strings.add(name));
      return this.#wide
        ? [...at, ...info, ...value, ...this.#word(8)]
        : [...at, ...value, ...this.#word(8), ...info];
    });
    return [...none, ...rest];
  }

  #versions(symbols: readonly (string | FakeSymbol)[], strings: Strings) {
    const numbers: number[] = [0];
    const defined: number[][] = [];
    const wanted: number[][] = [];
    for (const each of symbols) {
      const { version, library } =
        typeof each === 'string' ? { version: undefined, library: undefined } : each;
      if (version === undefined) {
        numbers.push(1);
        continue;
      }
      const number = 2 + defined.length + wanted.length;
      numbers.push(number);
      const name = this.#u32(strings.add(version));
      if (library === undefined) {
        const head = [...this.#u16(1), ...this.#u16(0), ...this.#u16(number), ...this.#u16(1)];
        defined.push([
          ...head,
          ...this.#u32(0),
          ...this.#u32(20),
          ...this.#u32(28),
          ...name,
          ...this.#u32(0),
        ]);
      } else {
        const head = [...this.#u16(1), ...this.#u16(1), ...this.#u32(strings.add(library)), ...this.#u32(16)];
        const aux = [...this.#u32(0), ...this.#u16(0), ...this.#u16(number), ...name, ...this.#u32(0)];
        wanted.push([...head, ...this.#u32(32), ...aux]);
      }
    }
    const end = (records: number[][], next: number) => {
      records.at(-1)?.fill(0, next, next + 4);
      return records.flat();
    };
    return {
      numbers: numbers.flatMap((number) => this.#u16(number)),
      defined: end(defined, 16),
      wanted: end(wanted, 12),
    };
  }

  #addNotes(usdt: readonly FakeUsdt[]): void {
    const base = fakeLayout.data.address;
    const text = (value: string) => [...new TextEncoder().encode(value), 0];
    const notes = usdt.flatMap((one, index) => {
      const { provider, name, args = '', offset = 16 * index + 16, semaphore, moved = 0 } = one;
      const places = [fakeLayout.code.address + offset - moved, base - moved];
      const counter = semaphore === undefined ? 0 : fakeLayout.data.address + semaphore - moved;
      const words = [...places, counter].flatMap((place) => this.#word(place));
      const description = [...words, ...text(provider), ...text(name), ...text(args)];
      const padding = Array.from({ length: -description.length & 3 }, () => 0);
      const head = [...this.#u32(8), ...this.#u32(description.length), ...this.#u32(3)];
      return [...head, ...text('stapsdt'), ...description, ...padding];
    });
    this.#add('.note.stapsdt', SHT.NOTE, notes);
    this.#add('.stapsdt.base', SHT.PROGBITS, [0], { address: base });
  }

  #addBuild({ buildId, debugLink }: FakeBinarySpec): void {
    if (buildId !== undefined) {
      const id = buildId.match(/../g)?.map((byte) => Number.parseInt(byte, 16)) ?? [];
      const head = [4, id.length, 3].flatMap((word) => this.#u32(word));
      this.#add('.note.gnu.build-id', SHT.NOTE, [...head, ...new TextEncoder().encode('GNU\0'), ...id]);
    }
    if (debugLink !== undefined) {
      this.#add('.gnu_debuglink', SHT.PROGBITS, [...new TextEncoder().encode(debugLink), 0, 0, 0, 0, 0]);
    }
  }

  #assemble(): Uint8Array {
    const strings = new Strings();
    const names = [...this.#sections.map(({ name }) => strings.add(name)), strings.add('.shstrtab')];
    this.#add('.shstrtab', SHT.STRTAB, strings.bytes);
    let end: number = fakeLayout.data.offset + fakeLayout.data.size;
    const places = this.#sections.map(({ offset, bytes }) => {
      if (offset !== undefined) return offset;
      const at = Math.ceil(end / 8) * 8;
      end = at + bytes.length;
      return at;
    });
    const table = Math.ceil(end / 8) * 8;
    const headers = this.#sections.flatMap((section, index) =>
      this.#sectionHeader(section, names[index] ?? 0, places[index] ?? 0),
    );
    const file = new Uint8Array(table + headers.length);
    file.set(this.#header(table));
    for (const [index, { bytes }] of this.#sections.entries()) file.set(bytes, places[index]);
    file.set(headers, table);
    return file;
  }

  #header(table: number): number[] {
    const identity = [0x7f, 0x45, 0x4c, 0x46, this.#wide ? 2 : 1, this.#spec.bigEndian ? 2 : 1, 1];
    const size = this.#wide ? 64 : 52;
    const counts = [size, this.#wide ? 56 : 32, 2, this.#wide ? 64 : 40, this.#sections.length];
    return [
      ...[...identity, ...Array.from({ length: 9 }, () => 0)],
      ...[this.#spec.fixed ? 2 : 3, this.#wide ? 62 : 3].flatMap((each) => this.#u16(each)),
      ...this.#u32(1),
      ...[0, size, table].flatMap((each) => this.#word(each)),
      ...this.#u32(0),
      ...[...counts, this.#sections.length - 1].flatMap((each) => this.#u16(each)),
      ...this.#segment(fakeLayout.code, 5),
      ...this.#segment(fakeLayout.data, 6),
    ];
  }

  #segment(
    { offset, address, size }: { offset: number; address: number; size: number },
    flags: number,
  ): number[] {
    const places = [offset, address, address, size, size].flatMap((each) => this.#word(each));
    return this.#wide
      ? [...this.#u32(1), ...this.#u32(flags), ...places, ...this.#word(0x1000)]
      : [...this.#u32(1), ...places, ...this.#u32(flags), ...this.#word(0x1000)];
  }

  #sectionHeader(section: Section, name: number, place: number): number[] {
    const { type, address = 0, bytes, link = 0, entrySize = 0 } = section;
    return [
      ...this.#u32(name),
      ...this.#u32(type),
      ...[0, address, place, bytes.length].flatMap((each) => this.#word(each)),
      ...this.#u32(link),
      ...this.#u32(0),
      ...[8, entrySize].flatMap((each) => this.#word(each)),
    ];
  }

  #u16(value: number): number[] {
    const bytes = [value & 0xff, (value >> 8) & 0xff];
    return this.#spec.bigEndian ? bytes.reverse() : bytes;
  }

  #u32(value: number): number[] {
    const bytes = [0, 8, 16, 24].map((shift) => (value >>> shift) & 0xff);
    return this.#spec.bigEndian ? bytes.reverse() : bytes;
  }

  #word(value: number): number[] {
    if (!this.#wide) return this.#u32(value);
    const halves = [this.#u32(value), this.#u32(Math.floor(value / 2 ** 32))];
    return (this.#spec.bigEndian ? halves.reverse() : halves).flat();
  }
}
