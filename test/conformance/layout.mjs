// Do this machine's C compilers and the generated codecs agree on every byte? testdata/ctypes/values.c prints the bytes of
// values that values.mjs has, too: the codecs, made of the BTF of types.o, must read the one as the other, and write it
// again, padding aside. `npm run conformance:layout`; `npm test` runs it in its phase of objects.
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { isDeepStrictEqual } from 'node:util';
import { values } from '../testdata/ctypes/values.mjs';
import { codecsOf, difference, leavesOf } from './round-trip.mjs';
import { btfOf, tools } from './round-trip-objects.mjs';

const here = (file) => fileURLToPath(new URL(`../testdata/ctypes/${file}`, import.meta.url));
const btf = btfOf(here('types.o'));
const codecs = codecsOf(btf, tools);

const folder = mkdtempSync(join(tmpdir(), 'bpfskel-layout-'));
try {
  process.exitCode = run();
} finally {
  rmSync(folder, { recursive: true });
}

function run() {
  const compilers = ['cc', 'gcc', 'clang', 'clang-19'].filter(
    (compiler) => spawnSync(compiler, ['--version'], { stdio: 'ignore' }).status === 0,
  );
  if (compilers.length === 0) throw new Error('no C compiler found (tried cc, gcc, clang and clang-19)');
  const failed = compilers.flatMap((compiler) => {
    const shown = printed(compiler);
    const missing = Object.keys(values).filter((name) => !shown.some((one) => one.name === name));
    const wrong = [...missing.map((name) => `${name}: not printed`), ...shown.flatMap(disagreement)];
    for (const why of wrong) console.error(`${compiler}: ${why}`);
    console.log(`${compiler}: ${shown.length - wrong.length} of ${shown.length} types agree`);
    return wrong;
  });
  return failed.length === 0 ? 0 : 1;
}

/** What the program prints when this compiler has made it. */
function printed(compiler) {
  const program = join(folder, `values-${compiler}`);
  command(compiler, ['-w', '-o', program, here('values.c')]);
  return command(program, [])
    .trim()
    .split('\n')
    .map((line) => {
      const [name, size, bytes] = line.split('|');
      return { name, size: Number(size), bytes: new Uint8Array(Buffer.from(bytes, 'hex')) };
    });
}

function command(file, args) {
  const { status, stdout, stderr, error } = spawnSync(file, args, { encoding: 'utf8' });
  if (status !== 0) throw new Error(`${file}: ${error?.message ?? stderr}`);
  return stdout;
}

/** In what the codec of a type differs from the compiler. */
function disagreement({ name, size, bytes }) {
  const [keyword, tag] = name.split(' ');
  const id = btf.find(tag, keyword);
  const codec = codecs.get(id);
  const expected = values[name];
  if (codec === undefined || expected === undefined) return [`${name}: unknown`];
  if (codec.size !== size) return [`${name}: ${codec.size} bytes, not ${size}`];
  const read = codec.read(new DataView(bytes.buffer), 0, bytes.length);
  const wrong = Object.keys(expected).filter((key) => !agrees(read[key], expected[key]));
  const missing = keyword === 'union' ? [] : Object.keys(read).filter((key) => !Object.hasOwn(expected, key));
  const written = new Uint8Array(bytes.length);
  codec.write(new DataView(written.buffer), 0, expected);
  const leaves = leavesOf(btf, id, bytes.length, tools.generator.isKept);
  const bytesDiffer = difference(leaves, bytes, written, btf.littleEndian);
  return [
    ...wrong.map((key) => `${name}.${key} reads as ${show(read[key])}, not ${show(expected[key])}`),
    ...missing.map((key) => `${name}.${key} is in no value`),
    ...(bytesDiffer === undefined ? [] : [`${name} is written otherwise: ${bytesDiffer}`]),
  ];
}

/** Equal in all that is expected; of a union some arms may be left out. */
function agrees(read, expected) {
  if (Array.isArray(expected) || typeof expected !== 'object') return isDeepStrictEqual(read, expected);
  return Object.keys(expected).every((key) => agrees(read[key], expected[key]));
}

function show(value) {
  return JSON.stringify(value, (_, one) => (typeof one === 'bigint' ? `${one}n` : one));
}
