import {
  type Btf,
  type BtfComposite,
  type BtfEnum,
  type BtfEnum64,
  type BtfType,
  printable,
} from '@bpfskel/runtime/inspect';
import { declaration } from './ctype.js';
import { isMarked } from './decl-tags.js';
import type { Field, TaggedUnion } from './fields.js';
import { isKept } from './kept-fields.js';
import { pascalCase, type Scope } from './names.js';

/** A struct, union or enum that gets a TypeScript type. */
export type Reached =
  | {
      readonly kind: 'composite';
      readonly type: BtfComposite;
      readonly name: string;
      readonly cName: string;
      readonly fields: readonly Field[];
      /** Members that the kernel keeps to itself, by name. */
      readonly kept: readonly string[];
      /** Its union, where one of its members says which arm is meant. */
      readonly tagged: TaggedUnion | undefined;
    }
  | {
      readonly kind: 'enum';
      readonly type: BtfEnum | BtfEnum64;
      readonly name: string;
      readonly cName: string;
    };

/** What was asked for beside what C says. */
export interface Wishes {
  /** The union of a struct that one of its members tells the arms of. */
  tagged(type: BtfComposite): TaggedUnion | undefined;
  /** Are a member's bytes wanted as they are? */
  bytes(type: BtfComposite, field: Field): boolean;
}

/**
 * Follows types by value (pointers are numbers, what they point to is no part of a value), names them and puts them in
 * order: what a type needs comes before it.
 */
export class ReachedTypes {
  readonly #btf: Btf;
  readonly #scope: Scope;
  readonly #byId = new Map<number, Reached>();
  readonly #bySignature = new Map<string, Reached>();
  readonly #open = new Set<number>();
  readonly #wishes: Wishes;

  constructor(btf: Btf, scope: Scope, wishes: Wishes = { tagged: () => undefined, bytes: () => false }) {
    this.#btf = btf;
    this.#scope = scope;
    this.#wishes = wishes;
  }

  /** In order of definition, each once. */
  all(): readonly Reached[] {
    return [...this.#bySignature.values()];
  }

  /** The struct, union or enum with this id, typedefs and qualifiers skipped. It was added before. */
  get(type: BtfType): Reached | undefined {
    return this.#byId.get(type.id);
  }

  /** The structs and unions that values of this type hold, at any depth, and itself. */
  within(typeId: number, found = new Set<Reached>()): ReadonlySet<Reached> {
    const type = this.#btf.resolve(typeId);
    if (type.kind === 'array') return this.within(type.element, found);
    const reached = this.#byId.get(type.id);
    if (reached?.kind !== 'composite' || found.has(reached)) return found;
    found.add(reached);
    for (const field of reached.fields) this.within(field.typeId, found);
    return found;
  }

  /** Adds a type and all it holds. `hint` names it when C does not: its owner's name and its own. */
  add(typeId: number, hint: string): void {
    const type = this.#btf.resolve(typeId);
    if (this.#byId.has(type.id)) return;
    switch (type.kind) {
      case 'array':
        this.#guard(type, () => this.add(type.element, hint));
        return;
      case 'struct':
      case 'union':
        this.#guard(type, () => this.#addComposite(type, this.#names(typeId, type, hint)));
        return;
      case 'enum':
      case 'enum64':
        this.#addEnum(type, this.#names(typeId, type, hint));
        return;
      default:
        return;
    }
  }

  #guard(type: BtfType, enter: () => void): void {
    if (this.#open.has(type.id)) throw this.#btf.malformed(type.id, `${type.kind} contains itself`);
    if (this.#open.size > 200) throw this.#btf.malformed(type.id, 'types are nested more than 200 deep');
    this.#open.add(type.id);
    enter();
    this.#open.delete(type.id);
  }

  #addComposite(type: BtfComposite, { wanted, cName }: Names): void {
    const { fields: own, kept } = flatten(this.#btf, type);
    const wished = (field: Field): Field =>
      this.#wishes.bytes(type, field) ? { ...field, bytes: true } : field;
    const union = this.#wishes.tagged(type);
    const tagged = union && {
      ...union,
      shared: union.shared.map(wished),
      arms: union.arms.map((arm) => ({ ...arm, fields: arm.fields.map(wished) })),
    };
    const fields =
      tagged === undefined
        ? own.map(wished)
        : [tagged.tag, ...tagged.shared, ...tagged.arms.flatMap((arm) => arm.fields)];
    for (const field of fields) if (!field.bytes) this.add(field.typeId, `${wanted}_${field.name}`);
    const layout = fields.map((field) =>
      [
        ...[field.name, field.bitOffset, field.bitSize, field.arm],
        field.bytes ? 'bytes' : this.#signatureOf(field.typeId),
      ].join(' '),
    );
    this.#define(type, `${cName} ${type.size} ${layout.join()}`, wanted, (name) => ({
      kind: 'composite',
      type,
      name,
      cName,
      fields,
      kept,
      tagged,
    }));
  }

  #addEnum(type: BtfEnum | BtfEnum64, { wanted, cName }: Names): void {
    const values = type.values.map(({ name, value }) => `${name} ${value}`);
    this.#define(type, `${cName} ${type.size} ${values.join()}`, wanted, (name) => ({
      kind: 'enum',
      type,
      name,
      cName,
    }));
  }

  /** BTF may hold the same type several times: one definition serves all that are equal in everything. */
  #define(type: BtfType, signature: string, wanted: string, make: (name: string) => Reached): void {
    const key = `${wanted}\n${signature}`;
    const known = this.#bySignature.get(key);
    const reached = known ?? make(this.#scope.claim(pascalCase(wanted)));
    this.#bySignature.set(key, reached);
    this.#byId.set(type.id, reached);
  }

  #signatureOf(typeId: number): string {
    const type = this.#btf.resolve(typeId);
    if (type.kind === 'array') return `${this.#signatureOf(type.element)}[${type.length}]`;
    return this.#byId.get(type.id)?.name ?? `${declaration(this.#btf, typeId)}:${type.kind}`;
  }

  /** Its tag, else the typedef it is reached through, else the hint. */
  #names(typeId: number, type: BtfComposite | BtfEnum | BtfEnum64, hint: string): Names {
    const cName = declaration(this.#btf, type.id);
    if (type.name !== '') return { wanted: type.name, cName };
    let id = typeId;
    for (let at = this.#btf.type(id); at.id !== type.id && 'type' in at; at = this.#btf.type(id)) {
      if (at.kind === 'typedef' && at.name !== '') {
        return { wanted: at.name, cName: `typedef ${cName} ${at.name}` };
      }
      id = at.type;
    }
    return { wanted: hint, cName };
  }
}

/** What a type is to be called, and how C declares it. */
interface Names {
  readonly wanted: string;
  readonly cName: string;
}

/** The members of a type with those of its anonymous members in place. Checks that every one lies inside. */
export function flatten(
  btf: Btf,
  outer: BtfComposite,
): { readonly fields: readonly Field[]; readonly kept: readonly string[] } {
  const fields: Field[] = [];
  const kept: string[] = [];
  const names = new Set<string>();
  const visit = (
    type: BtfComposite,
    base: number,
    around: { arm: boolean; within?: Field['within'] },
    depth: number,
  ): void => {
    if (depth > 200) throw btf.malformed(outer.id, `${outer.kind} contains itself`);
    for (const [index, member] of type.members.entries()) {
      const bitOffset = base + member.bitOffset;
      const target = btf.resolve(member.type);
      const isArm = around.arm || (type.kind === 'union' && type.members.length > 1);
      const own = type.kind === 'union' ? { union: type.id, bitOffset: base, arm: index } : undefined;
      const within = around.within ?? own;
      if (member.name === '' && (target.kind === 'struct' || target.kind === 'union')) {
        visit(target, bitOffset, { arm: isArm, within }, depth + 1);
        continue;
      }
      // Unnamed members of other kinds are padding, and a function or void takes no room.
      if (member.name === '' || !hasSize(target)) continue;
      const bits = member.bitSize || btf.sizeOf(member.type) * 8;
      if (bitOffset + bits > outer.size * 8) {
        throw btf.malformed(outer.id, `member "${printable(member.name)}" ends outside its ${outer.kind}`);
      }
      if (isKept(btf, member.type)) {
        kept.push(member.name);
        continue;
      }
      let name = member.name;
      for (let count = 2; names.has(name); count++) name = `${member.name}_${count}`;
      names.add(name);
      fields.push({
        name,
        cName: member.name,
        typeId: member.type,
        bitOffset,
        bitSize: member.bitSize,
        arm: isArm,
        bytes: member.bitSize === 0 && isMarked(btf, type.id, index, 'bytes'),
        within,
      });
    }
  };
  visit(outer, 0, { arm: false }, 0);
  return { fields, kept };
}

function hasSize(type: BtfType): boolean {
  return !['void', 'fwd', 'func', 'func_proto', 'datasec', 'decl_tag'].includes(type.kind);
}
