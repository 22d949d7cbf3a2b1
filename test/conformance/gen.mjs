// `npm run conformance:gen [FOLDER]`: the kernel's own BPF selftest objects through `bpftool gen skeleton` and through
// ours. Whatever bpftool accepts, bpfskel must accept; what it writes must type-check and name the same maps, programs
// and globals. Then random bytes go through the codec of every struct and union of all objects, and must come out the same
// (round-trip.mjs says outside of what). The objects lie in FOLDER, else $BPFSKEL_SELFTESTS, else ~/.cache/bpfskel/selftests/objects.
import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { homedir, tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseObject } from '@bpfskel/runtime/inspect';
import { inspectObject } from '../../dist/inspection.js';
import { roundTripObjects } from './round-trip-objects.mjs';

const root = fileURLToPath(new URL('../..', import.meta.url));
const objects =
  process.argv[2] ?? process.env.BPFSKEL_SELFTESTS ?? join(homedir(), '.cache/bpfskel/selftests/objects');
// The system's bpftool says what must be accepted; the names are those of the kernel's own bpftool, where it was built:
// Debian's 7.1 does not know .struct_ops.link, and takes hidden variables for global ones.
const reference = process.env.BPFSKEL_BPFTOOL ?? join(objects, '../reference/bpftool');

const { plainGen } = createRequire(import.meta.url)(join(root, 'dist/gen-bundle.cjs'));

const folder = mkdtempSync(join(tmpdir(), 'bpfskel-gen-'));
try {
  process.exitCode = run();
} finally {
  rmSync(folder, { recursive: true });
}

function run() {
  const files = readdirSync(objects)
    .filter((file) => file.endsWith('.o'))
    .sort();
  if (files.length === 0) throw new Error(`no objects in ${objects}`);
  const accepted = files.flatMap((file) => bpftoolSkeleton(file) ?? []);
  const generated = accepted.filter(({ file }) => plainGen([join(objects, file), '-o', output(file)]) === 0);
  const ill = typeErrors();
  const typed = generated.filter(({ file }) => !ill.has(output(file)));
  const named = generated.filter(sameNames);
  console.log(`objects                 ${files.length}`);
  console.log(`accepted by bpftool     ${accepted.length}`);
  console.log(`accepted by bpfskel     ${generated.length}`);
  console.log(`output type-checks      ${typed.length}`);
  console.log(`same names as bpftool   ${named.length}`);
  const trips = roundTripObjects(files.map((file) => join(objects, file)));
  console.log(
    `structs and unions      ${trips.structs} (${trips.different} different) in ${trips.objects} objects`,
  );
  console.log(`same after round trip   ${trips.same}`);
  const accord = [generated, typed, named].every((passed) => passed.length === accepted.length);
  const all = accord && trips.same === trips.structs;
  console.log(all ? 'conformance:gen 100 %' : 'conformance:gen FAILED');
  return all ? 0 : 1;
}

function output(file) {
  return join(folder, file.replace(/\.o$/, '.skel.ts'));
}

function bpftoolSkeleton(file) {
  const system = headerBy('bpftool', file);
  return system && { file, header: (existsSync(reference) && headerBy(reference, file)) || system };
}

function headerBy(bpftool, file) {
  const { status, stdout } = spawnSync(bpftool, ['gen', 'skeleton', join(objects, file)], {
    encoding: 'utf8',
    maxBuffer: 1 << 28,
  });
  return status === 0 ? stdout : undefined;
}

/** One run of the compiler over everything, with every strict option a user may have. Files with errors. */
function typeErrors() {
  const strict = [
    ...[
      'strict',
      'exactOptionalPropertyTypes',
      'noUncheckedIndexedAccess',
      'noPropertyAccessFromIndexSignature',
    ],
    ...['noUnusedLocals', 'noUnusedParameters', 'noImplicitOverride', 'noImplicitReturns'],
    ...['isolatedModules', 'verbatimModuleSyntax', 'erasableSyntaxOnly', 'skipLibCheck', 'noEmit'],
  ];
  const paths = { '@bpfskel/runtime/codegen/v1': [join(root, 'runtime/dist/codegen/v1.d.ts')] };
  const compilerOptions = {
    ...Object.fromEntries(strict.map((option) => [option, true])),
    ...{ target: 'es2022', lib: ['es2023', 'esnext.disposable'], module: 'nodenext', types: [], paths },
  };
  writeFileSync(join(folder, 'package.json'), '{ "type": "module" }');
  writeFileSync(join(folder, 'tsconfig.json'), JSON.stringify({ compilerOptions, include: ['*.ts'] }));
  const { status, stdout } = spawnSync(
    join(root, 'node_modules/.bin/tsc'),
    ['-p', '.', '--pretty', 'false'],
    {
      cwd: folder,
      encoding: 'utf8',
      maxBuffer: 1 << 28,
    },
  );
  if (status !== 0) console.error(stdout.split('\n').slice(0, 20).join('\n'));
  const ill = new Set(stdout.match(/^[^\s(]+\.ts(?=\()/gm)?.map((file) => join(folder, file)));
  if (status !== 0 && ill.size === 0) throw new Error(`tsc: ${stdout}`);
  return ill;
}

/** Maps, programs, sections and variables of both skeletons; ours leaves the maps of global data out of `maps`. */
function sameNames({ file, header }) {
  const own = readFileSync(output(file), 'utf8');
  const { sections } = inspectObject(parseObject(readFileSync(join(objects, file))));
  const text = own.slice(own.indexOf(' = {\n  name: '));
  const expected = bpftoolNames(header);
  const globals = block(text, '  globals: {');
  const ours = {
    maps: [...keys(block(text, '  maps: {'), 4), ...sections.map(({ property }) => property)],
    progs: keys(block(text, '  progs: {'), 4),
    ...Object.fromEntries(
      keys(globals, 4).map((section) => [section, keys(block(globals, `    ${section}: {`), 6)]),
    ),
  };
  const same = canonical(expected) === canonical(ours);
  if (!same) console.error(`${file}: bpftool ${canonical(expected)}\n${file}: bpfskel ${canonical(ours)}`);
  return same;
}

function canonical(names) {
  const entries = Object.entries(names).filter(([, list]) => list.length > 0);
  return JSON.stringify(Object.fromEntries(entries.sort().map(([name, list]) => [name, [...list].sort()])));
}

/** The lines between `open` and the brace that closes it at the same indentation. */
function block(text, open) {
  const start = text.indexOf(`\n${open}\n`);
  if (start < 0) return '';
  const indent = /^ */.exec(open)[0];
  return text.slice(start + open.length + 1, text.indexOf(`\n${indent}}`, start + open.length));
}

function keys(text, indent) {
  return [...text.matchAll(new RegExp(`^ {${indent}}(\\w+|'[^']*'): `, 'gm'))].map(([, key]) =>
    key.replaceAll("'", ''),
  );
}

/** What the C header's struct declares. */
function bpftoolNames(header) {
  const names = { maps: pointers(header, 'maps'), progs: pointers(header, 'progs') };
  for (const [, body, section] of header.matchAll(/^\tstruct \w+__\w+ \{\n((?:\t\t.*\n)*)\t\} \*(\w+);$/gm)) {
    names[section] = body
      .split('\n')
      .filter((line) => /^\t\t[^\t].*;$/.test(line) && !/^\t\tchar __pad\d+\[/.test(line))
      .map(declaredName);
  }
  return names;
}

function pointers(header, member) {
  const body =
    new RegExp(`^\\tstruct \\{\\n((?:\\t\\t.*\\n)*)\\t\\} ${member};$`, 'm').exec(header)?.[1] ?? '';
  return [...body.matchAll(/\*(\w+);/g)].map(([, name]) => name);
}

/** The name in a C declaration: `int (*f)(void);`, `char x[4] __attribute__((aligned(8)));`, `} x;`. */
function declaredName(line) {
  const plain = line.replace(/__attribute__\(\(.*?\)\)(?=[;\s])/g, '');
  return (
    (/\(\*+\s*(?:const\s+|volatile\s+)*(\w+)/.exec(plain) ?? /(\w+)\s*(?:\[\d*\]\s*)*;$/.exec(plain))?.[1] ??
    plain
  );
}
