import { printable } from '../errors.js';
import type { Btf } from './btf.js';
import { elementCount } from './decode.js';
import type { BtfKind } from './types.js';

/** More members than this, nested ones counted, has no struct that a compiler made. */
const MAX_EXPANDED = 1 << 20;
/** Kernel types reach 64. Whatever walks types by recursion must not run out of stack. */
const MAX_DEPTH = 240;

/**
 * Makes sure that untrusted BTF can be walked: names and ids exist, functions have prototypes, members lie inside
 * their struct, nothing contains itself. What libbpf's btf_sanity_check demands, and the kernel's rules that keep
 * readers of values inside their bytes. Throws MalformedError. Takes time in proportion to the bytes.
 */
export function validateBtf(btf: Btf): void {
  const check = new Validation(btf);
  for (let id = btf.firstId; id < btf.endId; id++) check.references(id);
  for (let id = btf.firstId; id < btf.endId; id++) check.nesting(id);
  for (let id = btf.firstId; id < btf.endId; id++) check.members(id);
}

class Validation {
  readonly #btf: Btf;
  readonly #view: DataView;
  /** By id: 0 not visited, -1 being visited, else how many members the type has with everything inside. */
  readonly #expanded: Float64Array;
  /** By id: how deep a type nests. */
  readonly #depth: Uint8Array;

  constructor(btf: Btf) {
    this.#btf = btf;
    this.#view = new DataView(btf.bytes.buffer, btf.bytes.byteOffset, btf.bytes.byteLength);
    this.#expanded = new Float64Array(btf.endId);
    this.#depth = new Uint8Array(btf.endId);
  }

  references(id: number): void {
    const at = this.#btf.recordOffset(id);
    const name = (offset: number) => this.#name(id, offset);
    const type = (offset: number) => this.#id(id, this.#u32(offset));
    name(at);
    switch (this.#btf.kind(id)) {
      case 'ptr':
      case 'typedef':
      case 'volatile':
      case 'const':
      case 'restrict':
      case 'decl_tag':
      case 'type_tag':
        type(at + 8);
        break;
      case 'var':
        type(at + 8);
        this.#linkage(id, this.#u32(at + 12));
        break;
      case 'func':
        type(at + 8);
        this.#linkage(id, elementCount(this.#u32(at + 4)));
        if (this.#btf.kind(this.#u32(at + 8)) !== 'func_proto') {
          throw this.#btf.malformed(id, `a function of type [${this.#u32(at + 8)}], which is no func_proto`);
        }
        break;
      case 'array':
        type(at + 12);
        type(at + 16);
        break;
      case 'struct':
      case 'union':
        this.#each(id, 12, name);
        this.#each(id, 12, (member) => type(member + 4));
        break;
      case 'func_proto':
        type(at + 8);
        this.#each(id, 8, name);
        this.#each(id, 8, (param) => type(param + 4));
        break;
      case 'enum':
        this.#each(id, 8, name);
        break;
      case 'enum64':
        this.#each(id, 12, name);
        break;
      case 'datasec':
        this.#each(id, 12, type);
        break;
    }
  }

  /** Refuses types that hold themselves by value, or so much that walking them would not end. */
  nesting(root: number): void {
    if (this.#expanded[root] !== 0) return;
    const stack = [{ id: root, parts: this.#parts(root), next: 0, total: 1, depth: 0 }];
    this.#expanded[root] = -1;
    for (let top = stack.at(-1); top !== undefined; top = stack.at(-1)) {
      const part = top.parts[top.next];
      if (part === undefined) {
        this.#expanded[top.id] = top.total;
        this.#depth[top.id] = top.depth;
        stack.pop();
        continue;
      }
      const known = this.#expanded[part] ?? 0;
      if (known === -1) throw this.#btf.malformed(part, 'it contains itself');
      if (known === 0) {
        this.#expanded[part] = -1;
        stack.push({ id: part, parts: this.#parts(part), next: 0, total: 1, depth: 0 });
        continue;
      }
      top.next++;
      top.total += known;
      top.depth = Math.max(top.depth, (this.#depth[part] ?? 0) + 1);
      if (top.depth > MAX_DEPTH) throw this.#btf.malformed(top.id, 'it is nested too deep');
      if (top.total > MAX_EXPANDED) {
        throw this.#btf.malformed(top.id, `it has more than ${MAX_EXPANDED} members`);
      }
    }
  }

  /** Every member must end inside its struct (kernel: btf_struct_check_member and its kin). */
  members(id: number): void {
    const kind = this.#btf.kind(id);
    if (kind !== 'struct' && kind !== 'union') return;
    const at = this.#btf.recordOffset(id);
    const bits = this.#u32(at + 8) * 8;
    const withWidths = this.#u32(at + 4) >>> 31 !== 0;
    this.#each(id, 12, (member) => {
      const where = this.#u32(member + 8);
      const offset = withWidths ? where & 0xffffff : where;
      const width = withWidths ? where >>> 24 : 0;
      const end = offset + (width !== 0 ? width : this.#bitsOf(id, member));
      if (end > bits) {
        const name = this.#btf.string(this.#u32(member));
        throw this.#btf.malformed(id, `member "${name}" ends at bit ${end} of ${bits}`);
      }
    });
  }

  /** Bits a member of this type takes. Old compilers give a bitfield an integer type of fewer bits than its bytes have. */
  #bitsOf(owner: number, member: number): number {
    // Ends: nothing contains itself, see nesting().
    for (let id = this.#u32(member + 4), count = 1; ; ) {
      if (id !== 0 && id < this.#btf.firstId) return count * this.#btf.sizeOf(id) * 8;
      const kind = this.#btf.kind(id);
      const at = id === 0 ? 0 : this.#btf.recordOffset(id);
      switch (kind) {
        case 'typedef':
        case 'volatile':
        case 'const':
        case 'restrict':
        case 'type_tag':
          id = this.#u32(at + 8);
          break;
        case 'array':
          count *= this.#u32(at + 20);
          id = this.#u32(at + 12);
          break;
        case 'int': {
          const encoding = this.#u32(at + 12);
          if (count === 1) return ((encoding >>> 16) & 0xff) + (encoding & 0xff);
          return count * this.#u32(at + 8) * 8;
        }
        case 'ptr':
          return count * 64;
        case 'struct':
        case 'union':
        case 'enum':
        case 'enum64':
        case 'float':
          return count * this.#u32(at + 8) * 8;
        default:
          throw this.#btf.malformed(owner, this.#noMember(kind, this.#btf.string(this.#u32(member))));
      }
    }
  }

  #noMember(kind: BtfKind, name: string): string {
    if (kind !== 'void') return `member "${printable(name)}" is a ${kind}, which cannot be one`;
    return `member "${printable(name)}" has no type, and the kernel refuses that; clang has none for _Atomic: declare it without, and count with __sync_fetch_and_add() and the like`;
  }

  /** The types whose bytes are part of this one's. A base has been looked at before. */
  #parts(id: number): number[] {
    if (id < this.#btf.firstId) return [];
    const at = this.#btf.recordOffset(id);
    switch (this.#btf.kind(id)) {
      case 'typedef':
      case 'volatile':
      case 'const':
      case 'restrict':
      case 'type_tag':
      case 'decl_tag':
      case 'var':
        return [this.#u32(at + 8)];
      case 'array':
        return [this.#u32(at + 12)];
      case 'struct':
      case 'union': {
        const parts: number[] = [];
        this.#each(id, 12, (member) => parts.push(this.#u32(member + 4)));
        return parts;
      }
      default:
        return [];
    }
  }

  #each(id: number, stride: number, visit: (at: number) => void): void {
    const at = this.#btf.recordOffset(id);
    const count = elementCount(this.#u32(at + 4));
    for (let i = 0; i < count; i++) visit(at + 12 + i * stride);
  }

  #u32(at: number): number {
    return this.#view.getUint32(at, this.#btf.littleEndian);
  }

  #name(id: number, at: number): void {
    if (!this.#btf.hasString(this.#u32(at))) {
      throw this.#btf.malformed(id, `name ${this.#u32(at)} lies outside the string table`);
    }
  }

  #linkage(id: number, linkage: number): void {
    if (linkage > 2) throw this.#btf.malformed(id, `linkage ${linkage} is not known`);
  }

  #id(id: number, target: number): void {
    if (target >= this.#btf.endId) {
      throw this.#btf.malformed(id, `it refers to type [${target}], the last is [${this.#btf.endId - 1}]`);
    }
  }
}
