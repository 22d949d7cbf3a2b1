import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import { plainGenArguments } from '../../generator/plain.js';
import { parseObject } from '../../runtime/src/object/parse.js';
import type { ObjectSpec } from '../../runtime/src/object/spec.js';
import { skeletonText } from '../unit/skeleton-text.js';

// One C construct a case: CASE/in.bpf.c, what clang made of it (build.sh), and the skeleton as it must be.
// `UPDATE_GOLDENS=1 npx vitest run test/golden` writes what is generated now; review it as code.

const folder = fileURLToPath(new URL('.', import.meta.url));
const cases = readdirSync(folder, { withFileTypes: true }).flatMap((entry) =>
  entry.isDirectory() ? entry.name : [],
);

function generated(name: string): string {
  const source = readFileSync(join(folder, name, 'in.bpf.c'), 'utf8');
  const options = /^\/\/ Options: (.+)$/m.exec(source)?.[1]?.split(' ') ?? [];
  const several = options.map((option) => option.replace(/=(in\..*\.o)$/, `=${join(folder, name)}/$1`));
  const given = plainGenArguments([
    ...(options.includes('--arch') ? [] : [objectOf(name)]),
    '--name',
    name,
    ...several,
  ]);
  if (given === undefined) throw new Error(`${name}: cannot parse "${options.join(' ')}"`);
  return skeletonText(given);
}

/** The object of a case, or of several the one for this machine. */
function objectOf(name: string): string {
  const one = join(folder, name, 'in.bpf.o');
  return existsSync(one)
    ? one
    : join(folder, name, `in.${process.arch === 'x64' ? 'x86' : process.arch}.bpf.o`);
}

/** Objects for the other byte order can be read here, but not opened. */
const foreign = new Set(['big_endian']);

/** A spec without its BTF, whose bytes are compared instead. */
function contents({ btf, ...rest }: ObjectSpec): object {
  return { ...rest, btf: btf && Buffer.from(btf.bytes).toString('base64') };
}

describe('the skeleton of', () => {
  test.each(cases)('%s is as expected', (name) => {
    const file = join(folder, name, 'expected.skel.ts');
    const text = generated(name);
    if (process.env.UPDATE_GOLDENS) writeFileSync(file, text);
    expect(text).toBe(existsSync(file) ? readFileSync(file, 'utf8') : '');
  });

  test.each(cases)('%s opens, and carries an object that says what the original says', async (name) => {
    const module: Record<string, { open(): Disposable; elfBytes(): Uint8Array }> = await import(
      `./${name}/expected.skel.ts`
    );
    const skeleton = Object.values(module).find((exported) => exported && 'elfBytes' in exported);
    if (skeleton === undefined) throw new Error(`${name} exports no skeleton`);
    if (!foreign.has(name)) skeleton.open()[Symbol.dispose]();
    const original = parseObject(readFileSync(objectOf(name)));
    expect(contents(parseObject(skeleton.elfBytes()))).toEqual(contents(original));
  });

  test('any object is the same every time', () => {
    for (const name of cases) expect(generated(name)).toBe(generated(name));
  });
});
