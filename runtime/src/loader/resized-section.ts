import type { Btf } from '../btf/btf.js';
import type { MapSpec } from '../object/spec.js';
import { type BtfEditor, Word } from './btf-editor.js';
import { Kind, typeInfo } from './tiny-btf.js';

/** Sections whose size was set before load(): new size in bytes by the id of their DATASEC. */
export type ResizedSections = ReadonlyMap<number, number>;

/** The last variable of a section, an array, and how many elements it has when the section has another size. */
interface LastArray {
  /** Its number among the section's variables. */
  readonly index: number;
  readonly variable: number;
  readonly offset: number;
  readonly element: number;
  readonly indexType: number;
  readonly length: number;
}

/** libbpf's rules (map_btf_datasec_resize); undefined where the section does not end in whole elements of an array. */
function lastArray(btf: Btf, sectionId: number, size: number): LastArray | undefined {
  const section = btf.type(sectionId);
  if (section.kind !== 'datasec') return undefined;
  const index = section.vars.length - 1;
  const last = section.vars[index];
  const variable = last && btf.type(last.type);
  if (last === undefined || variable?.kind !== 'var') return undefined;
  const array = btf.resolve(variable.type);
  if (array.kind !== 'array') return undefined;
  const bytes = btf.sizeOf(array.element);
  const length = (size - last.offset) / bytes;
  if (!Number.isInteger(length) || length < 1) return undefined;
  const { element, index: indexType } = array;
  return { index, variable: variable.id, offset: last.offset, element, indexType, length };
}

/** A section's map with another size. What BTF cannot describe then has no types, as with libbpf. */
export function resizedSpec(btf: Btf | undefined, spec: MapSpec, valueSize: number): MapSpec {
  const typed = btf !== undefined && lastArray(btf, spec.valueTypeId, valueSize) !== undefined;
  return { ...spec, valueSize, ...(!typed && { keyTypeId: 0, valueTypeId: 0 }) };
}

/** An object's maps: as declared, and as they were set since. */
interface Resizable {
  readonly spec: { readonly maps: readonly MapSpec[] };
  readonly maps: ReadonlyMap<string, { readonly spec: MapSpec }>;
}

/** The sections of an object that got another size and keep their types. */
export function resizedSections(object: Resizable): ResizedSections {
  const resized = new Map<number, number>();
  for (const declared of object.spec.maps) {
    const spec = object.maps.get(declared.name)?.spec;
    if (spec === undefined || spec.origin !== 'data' || spec.valueSize === declared.valueSize) continue;
    if (spec.valueTypeId !== 0) resized.set(spec.valueTypeId, spec.valueSize);
  }
  return resized;
}

/** Makes the last variables of these sections arrays of the length that they have now. */
export function resizeSections(editor: BtfEditor, sections: ResizedSections): void {
  for (const [sectionId, size] of sections) {
    const last = lastArray(editor.btf, sectionId, size);
    if (last === undefined) continue;
    const array = editor.add([0, typeInfo(Kind.ARRAY), 0, last.element, last.indexType, last.length]);
    const { variable } = last;
    const copy = editor.add([
      editor.word(variable, Word.NAME),
      editor.word(variable, Word.INFO),
      array,
      editor.word(variable, Word.DATA),
    ]);
    const entry = Word.DATA + last.index * 3;
    editor.setWord(sectionId, Word.SIZE_OR_TYPE, size);
    editor.setWord(sectionId, entry, copy);
    editor.setWord(sectionId, entry + 2, size - last.offset);
  }
}
