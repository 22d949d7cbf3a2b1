import { isBpfError } from '../errors.js';
import { type ElfFile, FileSectionType, type Segment } from './elf-file.js';
import { FileSymbolType, SymbolTable } from './elf-symbols.js';
import { SymbolOrder } from './symbol-order.js';

/** The functions of a program or library by where they lie in the file. */
export class FileFunctions {
  readonly #segments: readonly Segment[];
  readonly #table: SymbolTable | undefined;
  readonly #order: SymbolOrder;
  /** Those that were asked for. */
  readonly #names = new Map<number, string | undefined>();

  /** Reads the full table, or the one of the dynamic linker when the file is stripped. */
  constructor(elf: ElfFile) {
    this.#segments = elf.segments();
    const section = elf.sectionOf(FileSectionType.SYMTAB) ?? elf.sectionOf(FileSectionType.DYNSYM);
    this.#table = section && new SymbolTable(elf, section);
    this.#order = orderOf(this.#table);
  }

  get count(): number {
    return this.#order.count;
  }

  /** The function that the byte at `fileOffset` belongs to. A function that does not say its size reaches to the next. */
  find(fileOffset: number): { readonly name: string; readonly offset: number } | undefined {
    const address = this.addressOf(fileOffset);
    const found = address === undefined ? undefined : this.#order.find(address);
    if (found === undefined || this.#table === undefined) return undefined;
    const size = this.#table.size(found.place);
    if (size !== 0 && found.offset >= size) return undefined;
    const name = this.#nameOf(this.#table, found.place);
    return name === undefined ? undefined : { name, offset: found.offset };
  }

  /** Undefined where the file's names are broken. */
  #nameOf(table: SymbolTable, place: number): string | undefined {
    if (this.#names.has(place)) return this.#names.get(place);
    let name: string | undefined;
    try {
      name = table.name(place);
    } catch (error) {
      if (!isBpfError(error)) throw error;
    }
    this.#names.set(place, name);
    return name;
  }

  /** The address that the file gives to the byte at `fileOffset`; undefined where it is not mapped. */
  addressOf(fileOffset: number): number | undefined {
    const segment = this.#segments.find(
      ({ offset, fileSize }) => fileOffset >= offset && fileOffset < offset + fileSize,
    );
    return segment && fileOffset - segment.offset + segment.address;
  }
}

function orderOf(table: SymbolTable | undefined): SymbolOrder {
  const starts: number[] = [];
  const places: number[] = [];
  for (let index = 0; index < (table?.count ?? 0); index++) {
    const type = table?.type(index);
    if (type !== FileSymbolType.FUNC && type !== FileSymbolType.IFUNC) continue;
    const address = table?.address(index) ?? 0;
    if (address === 0) continue;
    starts.push(address);
    places.push(index);
  }
  return new SymbolOrder(Float64Array.from(starts), Uint32Array.from(places));
}
