import type { Btf } from '@bpfskel/runtime/inspect';

/** A `__attribute__((btf_decl_tag("bpfskel:KEY=TEXT")))`. */
interface DeclTag {
  /** Index of the member that has it; -1 for the type or variable itself. */
  readonly component: number;
  readonly text: string;
}

/** Does a member have the tag `bpfskel:KEY`, which says nothing more? */
export function isMarked(btf: Btf, typeId: number, component: number, key: string): boolean {
  return tagsOf(btf, typeId).some((tag) => tag.component === component && tag.text === `bpfskel:${key}`);
}

const read = new WeakMap<Btf, ReadonlyMap<number, readonly DeclTag[]>>();

/** What the C source says to this generator of a type or variable, or of one of its members: the text behind `bpfskel:KEY=`. */
export function declTags(btf: Btf, typeId: number, key: string, component = -1): string[] {
  const start = `bpfskel:${key}=`;
  return tagsOf(btf, typeId)
    .filter((tag) => tag.component === component && tag.text.startsWith(start))
    .map(({ text }) => text.slice(start.length))
    .filter((text) => text !== '');
}

function tagsOf(btf: Btf, typeId: number): readonly DeclTag[] {
  let all = read.get(btf);
  if (all === undefined) {
    all = readTags(btf);
    read.set(btf, all);
  }
  return all.get(typeId) ?? [];
}

function readTags(btf: Btf): ReadonlyMap<number, readonly DeclTag[]> {
  const all = new Map<number, DeclTag[]>();
  for (let id = btf.firstId; id < btf.endId; id++) {
    if (btf.kind(id) !== 'decl_tag') continue;
    const tag = btf.type(id);
    if (tag.kind !== 'decl_tag' || !tag.name.startsWith('bpfskel:')) continue;
    const tags = all.get(tag.type) ?? [];
    tags.push({ component: tag.component, text: tag.name });
    all.set(tag.type, tags);
  }
  return all;
}
