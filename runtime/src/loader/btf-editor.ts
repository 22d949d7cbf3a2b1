import type { Btf } from '../btf/btf.js';
import { HEADER_SIZE, intType, Kind, typeInfo, writeHeader } from './tiny-btf.js';

/** Words of a type record, counted from its start. */
export const Word = { NAME: 0, INFO: 1, SIZE_OR_TYPE: 2, DATA: 3 } as const;

/** A copy of BTF to change in place and add to. Ids and string offsets that exist stay what they are. */
export class BtfEditor {
  readonly btf: Btf;
  readonly #types: Uint8Array;
  readonly #view: DataView;
  readonly #added: number[] = [];
  readonly #strings: Uint8Array;
  readonly #addedStrings: Uint8Array[] = [];
  #addedStringBytes = 0;
  #nextId: number;

  constructor(btf: Btf) {
    const { typesStart, typesSize, stringsStart, stringsSize } = btf.tables;
    this.btf = btf;
    this.#types = new Uint8Array(btf.bytes.subarray(typesStart, typesStart + typesSize));
    this.#view = new DataView(this.#types.buffer);
    this.#strings = btf.bytes.subarray(stringsStart, stringsStart + stringsSize);
    this.#nextId = btf.endId;
  }

  /** A word of a type's record as it stands now. */
  word(id: number, index: number): number {
    return this.#view.getUint32(this.#at(id, index), this.btf.littleEndian);
  }

  setWord(id: number, index: number, value: number): void {
    this.#view.setUint32(this.#at(id, index), value, this.btf.littleEndian);
  }

  /** Adds a string and returns its offset. */
  addString(text: string): number {
    const offset = this.#strings.length + this.#addedStringBytes;
    const bytes = new TextEncoder().encode(`${text}\0`);
    this.#addedStrings.push(bytes);
    this.#addedStringBytes += bytes.length;
    return offset;
  }

  /** Adds an unsigned int of `size` bytes and returns its id; its name is the string at `name`. */
  addInt(name: number, size: number): number {
    return this.add(intType(name, size));
  }

  /** Adds a global variable and returns its id; its name is the string at `name`. */
  addVariable(name: number, type: number): number {
    return this.add([name, typeInfo(Kind.VAR), type, 1]);
  }

  /** Adds a type, given as the words of its record, and returns its id. */
  add(words: readonly number[]): number {
    this.#added.push(...words);
    return this.#nextId++;
  }

  /** The BTF as it has become. */
  bytes(): Uint8Array {
    const little = this.btf.littleEndian;
    const typesSize = this.#types.length + this.#added.length * 4;
    const stringsSize = this.#strings.length + this.#addedStringBytes;
    const bytes = new Uint8Array(HEADER_SIZE + typesSize + stringsSize);
    const view = new DataView(bytes.buffer);
    writeHeader(view, typesSize, stringsSize, little);
    bytes.set(this.#types, HEADER_SIZE);
    let at = HEADER_SIZE + this.#types.length;
    for (const word of this.#added) {
      view.setUint32(at, word, little);
      at += 4;
    }
    for (const part of [this.#strings, ...this.#addedStrings]) {
      bytes.set(part, at);
      at += part.length;
    }
    return bytes;
  }

  #at(id: number, index: number): number {
    return this.btf.recordOffset(id) - this.btf.tables.typesStart + index * 4;
  }
}
