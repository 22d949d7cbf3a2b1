import { readFileSync } from 'node:fs';
import { parseElf } from '../../runtime/src/elf.js';

const SECTION_HEADER = 64;

/** A committed object, `maps.o` or so. */
export function testObject(name: string): Uint8Array {
  return new Uint8Array(readFileSync(new URL(`../testdata/${name}`, import.meta.url)));
}

/** Makes committed objects wrong in one place. */
export class ObjectEditor {
  readonly bytes: Uint8Array;
  readonly view: DataView;

  constructor(name: string) {
    this.bytes = testObject(name);
    this.view = new DataView(this.bytes.buffer);
  }

  /** Where the header of a section starts. */
  header(section: string): number {
    const { sections } = parseElf(this.bytes);
    const index = sections.findIndex(({ name }) => name === section);
    if (index < 0) throw new Error(`no section ${section}`);
    return Number(this.view.getBigUint64(40, true)) + index * SECTION_HEADER;
  }

  /** Where the contents of a section start. */
  start(section: string): number {
    return Number(this.view.getBigUint64(this.header(section) + 24, true));
  }

  /** Overwrites a 32-bit word of a section's contents. */
  word(section: string, offset: number, value: number): this {
    this.view.setUint32(this.start(section) + offset, value, true);
    return this;
  }

  /** Overwrites a 64-bit word of a section's header. */
  headerWord(section: string, offset: number, value: number): this {
    this.view.setBigUint64(this.header(section) + offset, BigInt(value), true);
    return this;
  }

  /** Gives a section another name, as long as the old one or shorter. */
  rename(section: string, name: string): this {
    const header = this.header(section);
    const names = Number(this.view.getBigUint64(40, true)) + this.view.getUint16(62, true) * SECTION_HEADER;
    const at = Number(this.view.getBigUint64(names + 24, true)) + this.view.getUint32(header, true);
    this.bytes.set(new TextEncoder().encode(name.padEnd(section.length, '\0')), at);
    return this;
  }

  /** Replaces the first occurrence of a NUL-terminated name in a section, by one not longer. */
  text(section: string, from: string, to: string): this {
    const start = this.start(section);
    const at = Buffer.from(this.bytes.buffer).indexOf(`\0${from}\0`, start, 'latin1');
    if (at < 0) throw new Error(`no ${from} in ${section}`);
    this.bytes.set(new TextEncoder().encode(to.padEnd(from.length, '\0')), at + 1);
    return this;
  }
}
