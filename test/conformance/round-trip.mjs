// Random bytes through the codec of a C type and back: what must be the same, computed from BTF alone, without the
// generator. Excluded is, and nothing else:
//  - padding: bits that belong to no member, members without a name, and members that the kernel keeps to itself in map
//    values (spin locks, timers, kptrs). It is written as zero;
//  - what stands behind the NUL of a char array: a string ends there;
//  - which byte other than 0 a bool is: it must be one other than 0 again;
//  - which NaN a float is: it must be a NaN again.
// Where another arm of a union shows the same bytes, none of this is excluded but for padding in all of them.

import handlebars from 'handlebars';

/** A string of 0 and 1 would do, too: seeded, so that what fails once fails again. */
export function randomBytes(seed) {
  let state = seed >>> 0 || 1;
  return (length) =>
    Uint8Array.from({ length }, () => {
      state ^= state << 13;
      state ^= state >>> 17;
      state ^= state << 5;
      return state & 0xff;
    });
}

/** Bytes that real records have beside random ones: text, zeros, ones, small numbers, each a run. */
export function likelyBytes(seed) {
  const next = randomBytes(seed);
  return (length) => {
    const bytes = next(length);
    for (let at = 0; at < length; ) {
      const [kind, run] = next(2);
      const end = Math.min(length, at + 1 + (run % 24));
      if (kind % 5 === 0) bytes.fill(0, at, end);
      else if (kind % 5 === 1) bytes.fill(0xff, at, end);
      else if (kind % 5 === 2) for (let i = at; i < end; i++) bytes[i] = 0x61 + (bytes[i] % 26);
      else if (kind % 5 === 3) for (let i = at; i < end; i++) bytes[i] &= 1;
      at = end;
    }
    return bytes;
  };
}

/**
 * What lies where in a type of `length` bytes (more than its size when it ends in a flexible array).
 * @returns {{ at: number, bits: number, as: 'exact' | 'text' | 'bool' | 'float' }[]} `at` in bits
 */
export function leavesOf(btf, typeId, length, isKept) {
  const leaves = [];
  const visit = (id, at, end) => {
    const type = btf.resolve(id);
    switch (type.kind) {
      case 'int':
        if (type.bool && type.size === 1) leaves.push({ at, bits: 8, as: 'bool' });
        else leaves.push({ at: at + type.bitOffset, bits: type.bits, as: 'exact' });
        return;
      case 'float':
        leaves.push({ at, bits: type.size * 8, as: type.size === 4 || type.size === 8 ? 'float' : 'exact' });
        return;
      case 'array':
        visitArray(type, at, type.length);
        return;
      case 'struct':
      case 'union':
        for (const member of type.members) visitMember(type, member, at + member.bitOffset, end);
        return;
      case 'ptr':
      case 'enum':
      case 'enum64':
        leaves.push({ at, bits: btf.sizeOf(id) * 8, as: 'exact' });
        return;
      default: // void, functions, forward declarations: nothing
    }
  };
  const visitArray = (type, at, count) => {
    const element = btf.resolve(type.element);
    const size = btf.sizeOf(type.element);
    if (element.kind === 'int' && size === 1 && (element.char || element.name === 'char')) {
      leaves.push({ at, bits: count * 8, as: 'text' });
    } else if (['int', 'ptr', 'enum', 'enum64'].includes(element.kind) && !element.bool) {
      leaves.push({ at, bits: count * size * 8, as: 'exact' });
    } else for (let i = 0; i < count; i++) visit(type.element, at + i * size * 8);
  };
  const visitMember = (owner, member, at, end) => {
    const type = btf.resolve(member.type);
    const composite = type.kind === 'struct' || type.kind === 'union';
    if (member.name === '' && !composite) return;
    if (member.name !== '' && isKept(btf, member.type)) return;
    if (member.bitSize > 0) {
      leaves.push({ at, bits: member.bitSize, as: 'exact' });
      return;
    }
    // The last member of a record takes what is left of it.
    const last =
      end !== undefined &&
      owner.members.every((other) => other === member || endOf(other) <= member.bitOffset);
    if (last && type.kind === 'array' && type.length === 0 && btf.sizeOf(type.element) > 0) {
      visitArray(type, at, Math.max(0, Math.floor((end - at / 8) / btf.sizeOf(type.element))));
    } else visit(member.type, at, last ? end : undefined);
  };
  const endOf = ({ type, bitOffset, bitSize }) => bitOffset + (bitSize || btf.sizeOf(type) * 8);
  visit(typeId, 0, length);
  return leaves.filter(({ bits }) => bits > 0);
}

/** Why `after` is not what must become of `before`; undefined when it is. */
export function difference(leaves, before, after, littleEndian) {
  if (before.length !== after.length) return `${after.length} bytes instead of ${before.length}`;
  const same = new Uint8Array(before.length);
  const known = new Uint8Array(before.length);
  const mark = (mask, at, bits) => {
    for (let bit = at; bit < at + bits; ) {
      if ((bit & 7) === 0 && at + bits - bit >= 8) {
        mask[bit >> 3] = 0xff;
        bit += 8;
      } else {
        mask[bit >> 3] |= littleEndian ? 1 << (bit & 7) : 0x80 >> (bit & 7);
        bit += 1;
      }
    }
  };
  for (const { at, bits, as } of leaves) {
    const start = at >> 3;
    const size = bits >> 3;
    mark(known, at, bits);
    if (as === 'bool') {
      if ((before[start] === 0) !== (after[start] === 0)) return `bool at ${start}`;
    } else if (as === 'float' && Number.isNaN(float(before, start, size, littleEndian))) {
      if (!Number.isNaN(float(after, start, size, littleEndian))) return `NaN at ${start}`;
    } else if (as === 'text') {
      const nul = before.subarray(start, start + size).indexOf(0);
      mark(same, at, nul < 0 ? bits : (nul + 1) * 8);
    } else mark(same, at, bits);
  }
  const at = before.findIndex(
    (byte, i) => ((byte ^ after[i]) & same[i]) !== 0 || (after[i] & ~known[i]) !== 0,
  );
  return at < 0 ? undefined : `byte ${at} was ${before[at]} and is ${after[at]}`;
}

function float(bytes, at, size, littleEndian) {
  const view = new DataView(bytes.buffer, bytes.byteOffset + at, size);
  return size === 4 ? view.getFloat32(0, littleEndian) : view.getFloat64(0, littleEndian);
}

/** Structs and unions that a program may have values of: those with a size, and a name of their own or by a typedef. */
export function compositesOf(btf) {
  const ids = new Set();
  for (let id = btf.firstId; id < btf.endId; id++) {
    const kind = btf.kind(id);
    if (kind !== 'struct' && kind !== 'union' && kind !== 'typedef') continue;
    if (btf.name(id) === '') continue;
    const type = btf.resolve(id);
    if ((type.kind === 'struct' || type.kind === 'union') && type.size > 0) ids.add(type.id);
  }
  return [...ids];
}

/**
 * Passes bytes through the codec of every struct and union of an object.
 * @param {object} generator the generator's modules
 * @param {object} runtime what generated code imports
 * @param {Map<string, string | undefined>} known results of code that was tried before, by its text
 * @returns {{ structs: number, different: number, failed: string[] }}
 */
export function roundTrips(btf, { generator, runtime, transform, known = new Map(), rounds = 6 }) {
  const { code, names } = codecCode(btf, generator);
  const failed = [];
  let codecs;
  let different = 0;
  for (const [id, { name, text }] of names) {
    if (!known.has(text)) {
      codecs ??= evaluate(
        code,
        runtime,
        transform,
        [...names.values()].map((each) => each.name),
      );
      known.set(text, tryCodec(btf, id, codecs[name], generator.isKept, rounds));
      different++;
    }
    const why = known.get(text);
    if (why !== undefined) failed.push(`${btf.name(id) || name}: ${why}`);
  }
  return { structs: names.size, different, failed };
}

/** The codecs that a skeleton would have for the structs and unions of an object, by their id. */
export function codecsOf(btf, { generator, runtime, transform }) {
  const { code, names } = codecCode(btf, generator);
  const all = [...names.values()].map(({ name }) => name);
  const codecs = evaluate(code, runtime, transform, all);
  return new Map([...names].map(([id, { name }]) => [id, codecs[name]]));
}

function tryCodec(btf, id, codec, isKept, rounds) {
  const { size } = btf.resolve(id);
  if (codec.size !== size) return `its codec has ${codec.size} bytes instead of ${size}`;
  const sources = [randomBytes(id), likelyBytes(id)];
  for (let round = 0; round < rounds; round++) {
    // A record may be longer than its struct, which counts where it ends in a flexible array.
    const length = size + [0, 3, 24][round % 3];
    const before = sources[round % 2](length);
    const leaves = leavesOf(btf, id, length, isKept);
    const after = new Uint8Array(length);
    try {
      codec.write(new DataView(after.buffer), 0, codec.read(new DataView(before.buffer), 0, length));
    } catch (error) {
      return `${error}`;
    }
    // What the codec leaves alone is not of the struct.
    const end = leaves.reduce((most, { at, bits }) => Math.max(most, (at + bits + 7) >> 3), size);
    const why = difference(leaves, before.subarray(0, end), after.subarray(0, end), btf.littleEndian);
    if (why !== undefined) return why;
  }
  return undefined;
}

let templates;

/** The text of one type, as it stands in a skeleton. */
function print(type, { templateSources, templateOptions }) {
  templates ??= new Map(
    ['enum', 'struct'].map((name) => [
      name,
      handlebars.compile(templateSources().get(name), templateOptions),
    ]),
  );
  return templates.get(type.isEnum ? 'enum' : 'struct')(type);
}

/** The code that the generator makes of all structs and unions, and their names in it by id. */
function codecCode(btf, generator) {
  const { Scope, Imports, ReachedTypes, TypeTable, definitions } = generator;
  const scope = new Scope();
  const reached = new ReachedTypes(btf, scope);
  const ids = compositesOf(btf);
  for (const id of ids) reached.add(id, `type_${id}`);
  const imports = new Imports(scope);
  const table = new TypeTable({ btf, reached, imports, scope, wide: 'bigint' });
  const types = definitions({ btf, reached, table, imports, wide: 'bigint', live: new Set() });
  const texts = new Map(types.map((type) => [type.name, print(type, generator)]));
  const elements = table.elements().map(({ name, codec }) => `const ${name} = ${codec};`);
  const all = [...texts.values(), ...elements].join('\n');
  const { values } = imports.specifiers();
  // Code that is the same with all that it uses is tried once.
  const whole = new Map();
  const textOf = (name) => {
    const own = whole.get(name) ?? texts.get(name);
    if (whole.has(name)) return own;
    whole.set(name, own);
    const used = [...new Set(own.match(/\b[A-Z_]\w*(?=\.read\(|[,)])/g))].filter(
      (other) => other !== name && texts.has(other),
    );
    const text = [own, ...used.map(textOf)].join('\n');
    whole.set(name, text);
    return text;
  };
  const names = new Map(
    ids.map((id) => {
      const { name } = reached.get(btf.resolve(id));
      return [id, { name, text: `${btf.littleEndian}${textOf(name)}` }];
    }),
  );
  return { code: { values, all }, names };
}

function evaluate({ values, all }, runtime, transform, names) {
  const taken = values.replaceAll(' as ', ': ');
  const script = transform(all.replace(/^export /gm, ''));
  return new Function(
    'runtime',
    `const { ${taken} } = runtime;\n${script}\nreturn { ${[...new Set(names)].join(', ')} };`,
  )(runtime);
}
