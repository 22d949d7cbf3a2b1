import type { MalformedError } from '../errors.js';
import type { BtfComposite, BtfType } from './types.js';

/** What a chain of typedefs and qualifiers, or a nesting of structs, never reaches in honest BTF. */
export const MAX_CHAIN = 64;

const POINTER = 8;
const U32_MAX = 0xffffffff;

/** Types by their id, and how an error about one reads. */
interface Types {
  type(id: number): BtfType;
  malformed(id: number, what: string): MalformedError;
}

/** Sizes and alignments of the types of one BTF, for the BPF machine: pointers are 8 bytes. */
export class BtfLayout {
  readonly #btf: Types;
  readonly #aligns = new Map<number, number>();

  constructor(btf: Types) {
    this.#btf = btf;
  }

  sizeOf(id: number): number {
    let count = 1;
    let type = this.#btf.type(id);
    for (let hops = 0; hops <= MAX_CHAIN; hops++) {
      switch (type.kind) {
        case 'int':
        case 'struct':
        case 'union':
        case 'enum':
        case 'enum64':
        case 'datasec':
        case 'float':
          return this.#checked(id, count * type.size);
        case 'ptr':
          return this.#checked(id, count * POINTER);
        case 'typedef':
        case 'volatile':
        case 'const':
        case 'restrict':
        case 'type_tag':
        case 'var':
        case 'decl_tag':
          type = this.#btf.type(type.type);
          break;
        case 'array':
          count = this.#checked(id, count * type.length);
          type = this.#btf.type(type.element);
          break;
        default:
          throw this.#btf.malformed(id, `a ${type.kind} has no size`);
      }
    }
    throw this.#btf.malformed(id, 'its definition never ends');
  }

  alignOf(id: number): number {
    return this.#align(id, 0);
  }

  #align(id: number, depth: number): number {
    const known = this.#aligns.get(id);
    if (known !== undefined) return known;
    if (depth > 4 * MAX_CHAIN) throw this.#btf.malformed(id, 'it contains itself, or nests too deep');
    const align = this.#compute(id, depth);
    this.#aligns.set(id, align);
    return align;
  }

  #compute(id: number, depth: number): number {
    const type = this.#btf.type(id);
    switch (type.kind) {
      case 'int':
      case 'enum':
      case 'enum64':
      case 'float':
        return Math.max(1, Math.min(POINTER, type.size));
      case 'ptr':
        return POINTER;
      case 'typedef':
      case 'volatile':
      case 'const':
      case 'restrict':
      case 'type_tag':
      case 'var':
        return this.#align(type.type, depth + 1);
      case 'array':
        return this.#align(type.element, depth + 1);
      case 'struct':
      case 'union':
        return this.#composite(type, depth);
      default:
        throw this.#btf.malformed(id, `a ${type.kind} has no alignment`);
    }
  }

  /** A member off its alignment, or a size that is no multiple of it, means __attribute__((packed)). */
  #composite(type: BtfComposite, depth: number): number {
    let align = 1;
    for (const member of type.members) {
      const own = this.#align(member.type, depth + 1);
      align = Math.max(align, own);
      if (member.bitSize === 0 && member.bitOffset % (8 * own) !== 0) return 1;
    }
    return type.size % align === 0 ? align : 1;
  }

  #checked(id: number, size: number): number {
    if (size > U32_MAX) throw this.#btf.malformed(id, `${size} bytes are more than 32 bits can count`);
    return size;
  }
}
