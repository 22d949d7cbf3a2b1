import type { Entry } from './entry.js';
import type { SkeletonModel } from './model.js';
import type { TypeDefinition } from './type-model.js';

// Objects of one skeleton must have one API and one layout. What differs is told in the words of the C declarations that
// the models carry as comments.

/** One thing that a skeleton states: what it is called, what the code says, and how C says it. */
interface Stated {
  readonly what: string;
  readonly code: string;
  readonly c: string;
}

/** In what the API of `other` differs, as sentences that call the objects by their names. */
export function differences(
  one: SkeletonModel,
  other: SkeletonModel,
  [oneName, otherName]: readonly [string, string],
): string[] {
  const theirs = new Map(statements(other).map((stated) => [stated.what, stated]));
  const found: string[] = [];
  for (const mine of statements(one)) {
    const their = theirs.get(mine.what);
    theirs.delete(mine.what);
    if (their === undefined) found.push(`${mine.what} is only in ${oneName}`);
    else if (their.code !== mine.code) {
      const [here, there] = [told(mine, their), told(their, mine)];
      found.push(
        here.length + there.length > 200
          ? `${mine.what} is not the same in ${oneName} and ${otherName}`
          : `${mine.what} is ${here} in ${oneName} and ${there} in ${otherName}`,
      );
    }
  }
  return [...found, ...[...theirs.keys()].map((what) => `${what} is only in ${otherName}`)];
}

/** As C says it, unless C says the same of both. */
function told(mine: Stated, their: Stated): string {
  return mine.c === their.c || mine.c === '' ? mine.code : `"${mine.c}"`;
}

function statements(model: SkeletonModel): Stated[] {
  const inside = (what: string, { key, value, doc }: Entry): Stated => ({
    what: `${what}${key}`,
    code: value,
    c: doc,
  });
  return [
    ...model.types.flatMap(typeStatements),
    ...model.records.map((record) => ({
      what: `record type ${record.name}`,
      code: JSON.stringify(record),
      c: '',
    })),
    ...model.maps.map((entry) => inside('map ', entry)),
    ...model.progs.map((entry) => inside('program ', { ...entry, value: withoutSection(entry.value) })),
    ...model.globals.flatMap(({ key, variables }) =>
      variables.map((entry) => inside(`variable ${key}.`, entry)),
    ),
    ...model.structOps.flatMap(({ key, members }) =>
      members.map((entry) => inside(`struct_ops ${key}.`, entry)),
    ),
    ...model.elements.map(({ name, ts, codec }) => ({
      what: `array element ${name}`,
      code: `${ts} ${codec}`,
      c: '',
    })),
  ];
}

/** A kprobe may be of another function where that has another name: `kprobe/__x64_sys_read`. */
function withoutSection(value: string): string {
  return value.replace(/\('(?:[^'\\]|\\.)*'/, '(');
}

function typeStatements(type: TypeDefinition): Stated[] {
  const { name } = type;
  if (type.isEnum) {
    return type.values.map(({ key, value }) => ({ what: `enumerator ${name}.${key}`, code: value, c: '' }));
  }
  if (type.isTagged) return [{ what: `type ${name}`, code: JSON.stringify(type), c: '' }];
  return [
    { what: `type ${name}`, code: `${type.size} bytes`, c: '' },
    ...type.fields.map((field) => ({
      what: `field ${field.key} of type ${name}`,
      code: `${field.ts} ${field.read}`,
      c: field.doc.replace(/^\/\*\* | \*\/\s*$/g, ''),
    })),
  ];
}
