import { BpfError, type Btf, printable } from '@bpfskel/runtime/inspect';
import type { Field } from './fields.js';
import { flatten, type Wishes } from './reach.js';
import { findType } from './records.js';
import { type AskedUnions, taggedUnion } from './tagged-unions.js';

/** What the command line asks of types. */
export interface AskedOfTypes {
  /** Structs whose union one of their members tells the arms of, as `--union STRUCT=TAG` gives them. */
  readonly unions?: ReadonlyMap<string, string> | undefined;
  /** Members that are wanted as bytes, as `--bytes STRUCT.MEMBER` gives them. */
  readonly bytes?: readonly string[] | undefined;
}

/** What was asked for beside what C says; `named` are the structs that this names, by their id. */
export function wishesOf(
  btf: Btf,
  asked: AskedOfTypes,
): Wishes & { readonly named: ReadonlyMap<number, string> } {
  const unions = askedUnions(btf, asked.unions ?? new Map());
  const bytes = askedBytes(btf, asked.bytes ?? []);
  return {
    tagged: (type) => taggedUnion(btf, type, unions),
    bytes: (type, field) => bytes.get(type.id)?.has(field.cName) === true,
    named: new Map([...unions].map(([id, { name }]) => [id, name])),
  };
}

/** What `--bytes STRUCT.MEMBER` says: names of members by the id of their struct. */
function askedBytes(btf: Btf, wanted: readonly string[]): ReadonlyMap<number, ReadonlySet<string>> {
  const asked = new Map<number, Set<string>>();
  for (const text of wanted) {
    const [name = '', member = ''] = text.split('.').map((part) => part.trim());
    const type = btf.resolve(findType(btf, name));
    if (type.kind !== 'struct' && type.kind !== 'union') {
      throw new BpfError('ERR_BPF_NAME', `--bytes: "${printable(name)}" is no struct or union`);
    }
    assertBytes(flatten(btf, type).fields, name, member);
    asked.set(type.id, (asked.get(type.id) ?? new Set()).add(member));
  }
  return asked;
}

function assertBytes(fields: readonly Field[], name: string, member: string): void {
  const named = fields.filter((field) => field.cName === member);
  if (named.some((field) => field.bitSize === 0)) return;
  const known = fields.map((field) => printable(field.cName)).join(', ');
  throw new BpfError(
    'ERR_BPF_NAME',
    named.length > 0
      ? `--bytes: "${printable(member)}" of "${printable(name)}" is a bitfield, which has no bytes of its own`
      : `--bytes: "${printable(name)}" has no member "${printable(member)}"; it has ${known}`,
  );
}

/** What `--union STRUCT.MEMBER=...` says, by the id of the struct. */
function askedUnions(btf: Btf, unions: ReadonlyMap<string, string>): AskedUnions {
  return new Map(
    [...unions].map(([struct, text]) => {
      const [name = '', member] = struct.split('.').map((part) => part.trim());
      const { id, kind } = btf.resolve(findType(btf, name));
      if (kind !== 'struct') throw new BpfError('ERR_BPF_NAME', `--union: "${printable(name)}" is no struct`);
      return [id, { name, member, text }] as const;
    }),
  );
}
