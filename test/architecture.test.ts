import { readFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type Node, Project, type SourceFile, SyntaxKind } from 'ts-morph';
import { describe, expect, it } from 'vitest';
import { TRIED } from '../runtime/src/kernel/koffi.js';

const root = fileURLToPath(new URL('..', import.meta.url));
const project = new Project({
  compilerOptions: { allowJs: true },
  skipAddingFilesFromTsConfig: true,
  skipFileDependencyResolution: true,
});
project.addSourceFilesAtPaths([
  join(root, 'runtime/src/**/*.ts'),
  join(root, 'generator/*.ts'),
  join(root, 'examples/*/*.ts'),
  `!${join(root, 'examples/*/*.skel.ts')}`,
]);
const files = new Map(project.getSourceFiles().map((file) => [relative(root, file.getFilePath()), file]));
const runtime = [...files].filter(([path]) => path.startsWith('runtime/src/'));
const generator = [...files].filter(([path]) => path.startsWith('generator/'));
const own = [...runtime, ...generator];

/** What a file imports or exports again: repository paths for its own files, names for packages. */
interface Import {
  readonly to: string;
  /** Gone after compilation. */
  readonly typeOnly: boolean;
  readonly dynamic: boolean;
}

function importsOf(file: SourceFile): Import[] {
  const from = dirname(relative(root, file.getFilePath()));
  const resolve = (specifier: string) =>
    specifier.startsWith('.') ? join(from, specifier).replace(/\.js$/, '.ts') : specifier;
  const imported = file.getImportDeclarations().map((one) => {
    const whole = one.getDefaultImport() ?? one.getNamespaceImport();
    return { one, names: whole === undefined ? one.getNamedImports() : [] };
  });
  const exported = file.getExportDeclarations().map((one) => ({ one, names: one.getNamedExports() }));
  const declared = [...imported, ...exported].flatMap(({ one, names }) => {
    const specifier = one.getModuleSpecifierValue();
    if (specifier === undefined) return [];
    const typeOnly = one.isTypeOnly() || (names.length > 0 && names.every((name) => name.isTypeOnly()));
    return [{ to: resolve(specifier), typeOnly, dynamic: false }];
  });
  const dynamic = file
    .getDescendantsOfKind(SyntaxKind.CallExpression)
    .filter((call) => call.getExpression().getKind() === SyntaxKind.ImportKeyword)
    .flatMap((call) => {
      const [argument] = call.getArguments();
      const text = argument?.asKind(SyntaxKind.StringLiteral)?.getLiteralValue();
      return text === undefined ? [] : [{ to: resolve(text), typeOnly: false, dynamic: true }];
    });
  return [...declared, ...dynamic];
}

const imports = new Map([...files].map(([path, file]) => [path, importsOf(file)]));

/** Everything a file loads when it is imported, packages included, each with the way there. */
function reached(start: string, follow: (edge: Import) => boolean): Map<string, string> {
  const seen = new Map([[start, start]]);
  const queue = [start];
  for (let path = queue.shift(); path !== undefined; path = queue.shift()) {
    for (const edge of imports.get(path) ?? []) {
      if (!follow(edge) || seen.has(edge.to)) continue;
      seen.set(edge.to, `${seen.get(path)} -> ${edge.to}`);
      queue.push(edge.to);
    }
  }
  return seen;
}

const atRunTime = (edge: Import) => !edge.typeOnly && !edge.dynamic;

/** The ladder: a file imports from its own row and from those above it. */
const ladder: readonly (readonly RegExp[])[] = [
  [/^(errors|bytes|uapi|printed)\.ts$/, /^kernel\/errno\.ts$/],
  [/^(elf|insn)\.ts$/, /^(btf|codec)\//],
  [/^(core|object)\//, /^kernel\/(kernel|fd|\w+-calls)\.ts$/],
  [/^link\//],
  [/^(program|map)\//, /^codegen\/description\.ts$/],
  [/^loader\//],
  [/^(skeleton|open|open-link|open-map|symbols|trace-pipe|verify)\.ts$/],
  [/^codegen\/(v\d+|object-file|by-architecture)\.ts$/, /^(inspect|index|public-kinds)\.ts$/],
];

/** Beside the ladder: what these may import. */
const beside: readonly { readonly files: RegExp; readonly may: readonly RegExp[] }[] = [
  { files: /^kernel\/(?!(kernel|fd|\w+-calls)\.ts$)/, may: [...(ladder[0] ?? []), /^kernel\//] },
  {
    files: /^testing\//,
    may: [...(ladder[0] ?? []), ...(ladder[1] ?? []), /^kernel\/kernel\.ts$/, /^testing\//],
  },
];

const inRuntime = (path: string) => path.replace(/^runtime\/src\//, '');
const rowOf = (path: string) => ladder.findIndex((row) => row.some((pattern) => pattern.test(path)));

/** Why `from` may not import `to` (both inside runtime/src); undefined when it may. */
function breach(from: string, to: string): string | undefined {
  const exception = beside.find(({ files: pattern }) => pattern.test(from));
  if (exception)
    return exception.may.some((pattern) => pattern.test(to)) ? undefined : `${from} imports ${to}`;
  const row = rowOf(from);
  if (row === -1) return `${from} has no row in the ladder`;
  // The files that make this host's kernel are for the entry points; the others are given a Kernel.
  if (/^kernel\/(?!(kernel|fd|\w+-calls|errno)\.ts$)/.test(to)) {
    const entry = rowOf('skeleton.ts');
    return row >= entry ? undefined : `${from} imports ${to}, and is not an entry point`;
  }
  const target = rowOf(to);
  return target === -1 || target > row ? `${from} imports ${to}` : undefined;
}

function nodesIn(kind: SyntaxKind, where = own): string[] {
  return where.flatMap(([path, file]) =>
    file.getDescendantsOfKind(kind).map((node: Node) => `${path}:${node.getStartLineNumber()}`),
  );
}

/** Files that import one another in a circle, types included. */
function cycles(): string[] {
  const state = new Map<string, 'open' | 'done'>();
  const found: string[] = [];
  const visit = (path: string, trail: readonly string[]) => {
    if (state.get(path) === 'done') return;
    if (state.get(path) === 'open') {
      found.push([...trail.slice(trail.indexOf(path)), path].join(' -> '));
      return;
    }
    state.set(path, 'open');
    const edges = (imports.get(path) ?? []).filter((edge) => files.has(edge.to));
    for (const edge of edges) visit(edge.to, [...trail, path]);
    state.set(path, 'done');
  };
  for (const path of files.keys()) visit(path, []);
  return found;
}

describe('imports', () => {
  it('go up the ladder', () => {
    const edges = runtime.flatMap(([from]) => (imports.get(from) ?? []).map(({ to }) => ({ from, to })));
    const inside = edges.filter(({ to }) => to.startsWith('runtime/src/'));
    expect(inside.flatMap(({ from, to }) => breach(inRuntime(from), inRuntime(to)) ?? [])).toEqual([]);
  });

  it('make no circle, not even of types', () => expect(cycles()).toEqual([]));

  it('name files that exist', () => {
    const local = [...imports].flatMap(([from, edges]) => edges.map(({ to }) => ({ from, to })));
    const missing = local.filter(({ to }) => /^(runtime|generator)\//.test(to) && !files.has(to));
    expect(missing).toEqual([]);
  });

  it('of koffi are in koffi.ts alone, and gone after compilation', () => {
    const users = [...imports].flatMap(([from, edges]) =>
      edges.filter(({ to }) => to === 'koffi').map(({ typeOnly }) => ({ from, typeOnly })),
    );
    expect(users).toEqual([{ from: 'runtime/src/kernel/koffi.ts', typeOnly: true }]);
  });

  it('of Node modules are below the kernel interface', () => {
    const users = runtime.filter(([path]) => imports.get(path)?.some(({ to }) => to.startsWith('node:')));
    expect(users.map(([path]) => inRuntime(path)).filter((path) => !path.startsWith('kernel/'))).toEqual([]);
  });

  it('of attr.ts, which knows the bytes of bpf_attr, are below the kernel interface', () => {
    const users = runtime.filter(([path]) =>
      imports.get(path)?.some(({ to }) => to === 'runtime/src/kernel/attr.ts'),
    );
    expect(users.length).toBeGreaterThan(0);
    expect(users.map(([path]) => inRuntime(path)).filter((path) => !path.startsWith('kernel/'))).toEqual([]);
  });

  it('of the generator know the runtime by its inspect entry; the loader comes when a command loads', () => {
    const known = generator.flatMap(([path]) => imports.get(path) ?? []);
    const foreign = known.filter(
      ({ to, typeOnly, dynamic }) =>
        to.includes('runtime') &&
        to !== '@bpfskel/runtime/inspect' &&
        !(to === '@bpfskel/runtime' && (typeOnly || dynamic)),
    );
    expect(foreign).toEqual([]);
  });

  it.each([
    ['inspect.ts', (to: string) => to === 'koffi' || to.startsWith('node:')],
    ['codegen/v1.ts', (to: string) => to === 'koffi'],
    ['index.ts', (to: string) => to === 'koffi'],
  ])('of %s reach no native code', (entry, native) => {
    const all = reached(`runtime/src/${entry}`, atRunTime);
    expect(all.size).toBeGreaterThan(1);
    expect([...all].filter(([to]) => native(to)).map(([, way]) => way)).toEqual([]);
  });

  it('of the command line load ts-morph only when it is used', () => {
    const all = reached('generator/cli.ts', atRunTime);
    expect(all.size).toBeGreaterThan(1);
    expect(all.get('ts-morph')).toBeUndefined();
  });
});

describe('npm test', () => {
  // The first thing it does in a fresh clone is to install packages.
  it('begins with what Node itself has', () => {
    const start = join(root, 'test/run/test.mjs');
    const queue = [start];
    const loaded = new Set(queue);
    const packages: string[] = [];
    for (let path = queue.shift(); path !== undefined; path = queue.shift()) {
      for (const [, to = ''] of readFileSync(path, 'utf8').matchAll(
        /^(?:import|export) [^;]*?from '([^']+)'/gm,
      )) {
        if (to.startsWith('node:')) continue;
        const next = join(dirname(path), to);
        if (!to.startsWith('.')) packages.push(`${relative(root, path)} imports ${to}`);
        else if (!loaded.has(next)) {
          loaded.add(next);
          queue.push(next);
        }
      }
    }
    expect(loaded.size).toBeGreaterThan(5);
    expect(packages).toEqual([]);
  });
});

describe('source files', () => {
  it('have no any but where a comment says why', () => {
    const unexplained = own.flatMap(([path, file]) =>
      file
        .getDescendantsOfKind(SyntaxKind.AnyKeyword)
        .filter((node) => {
          const statement = node.getFirstAncestor((parent) => parent.getLeadingCommentRanges().length > 0);
          const comments = statement?.getLeadingCommentRanges().map((range) => range.getText()) ?? [];
          return !comments.some((text) => text.includes('noExplicitAny: '));
        })
        .map((node) => `${path}:${node.getStartLineNumber()}`),
    );
    expect(unexplained).toEqual([]);
    // The first to look at every node of every file, it waits for them.
  }, 60_000);

  it.each([
    ['non-null assertion', SyntaxKind.NonNullExpression],
    ['enum', SyntaxKind.EnumDeclaration],
    ['namespace', SyntaxKind.ModuleDeclaration],
  ])('have no %s', (_name, kind) => expect(nodesIn(kind, [...files])).toEqual([]));

  it('have no default export', () => {
    // Not getDefaultExportSymbol(): the compiler would bind every file for it.
    const found = [...files].filter(
      ([, file]) =>
        file.getExportAssignments().length > 0 ||
        file
          .getStatements()
          .some((one) =>
            one.getFirstChildByKind(SyntaxKind.SyntaxList)?.getFirstChildByKind(SyntaxKind.DefaultKeyword),
          ) ||
        file
          .getExportDeclarations()
          .some((one) =>
            one
              .getNamedExports()
              .some((name) => (name.getAliasNode() ?? name.getNameNode()).getText() === 'default'),
          ),
    );
    expect(found.map(([path]) => path)).toEqual([]);
  });

  it('say what they are: no utils, helpers or common', () => {
    const vague = /(^|[/-])(utils?|helpers?|common|misc)([./-]|$)/;
    expect([...files.keys()].filter((path) => vague.test(path))).toEqual([]);
  });

  it('are at most 400 lines long', () => {
    const long = own.filter(([, file]) => file.getEndLineNumber() > 400);
    expect(long.map(([path, file]) => `${path}: ${file.getEndLineNumber()}`)).toEqual([]);
  });

  it('of the generator leave arguments and exit status to cli.ts', () => {
    const users = generator.filter(([path, file]) =>
      path === 'generator/cli.ts' ? false : /\bprocess\.(exit|argv|exitCode)\b/.test(file.getText()),
    );
    expect(users.map(([path]) => path)).toEqual([]);
  });
});

describe('packages', () => {
  const json = (path: string) => JSON.parse(readFileSync(join(root, path), 'utf8'));
  const manifest = json('package.json');
  const lock = json('package-lock.json');

  it('are locked without addresses that only work in one place', () => {
    const entries = Object.entries<{ resolved?: string; link?: boolean }>(lock.packages);
    expect(entries.length).toBeGreaterThan(10);
    expect(entries.filter(([, { resolved, link }]) => resolved !== undefined && link !== true)).toEqual([]);
  });

  it('have no dependency by address', () => {
    const manifests = [manifest, json('runtime/package.json')];
    const versions = manifests.flatMap((one) =>
      Object.entries({ ...one.dependencies, ...one.devDependencies, ...one.optionalDependencies }),
    );
    expect(versions.filter(([, version]) => /[/:]/.test(String(version)))).toEqual([]);
  });

  it('install the runtime as two: itself and koffi', () => {
    expect(Object.keys(json('runtime/package.json').dependencies)).toEqual(['koffi']);
    expect(lock.packages['node_modules/koffi'].dependencies).toBeUndefined();
    // What goes past koffi's own JavaScript was tried with this one.
    expect(lock.packages['node_modules/koffi'].version).toBe(TRIED);
  });

  it('are released together', () => {
    const { version } = json('runtime/package.json');
    expect(manifest.version).toBe(version);
    expect(manifest.dependencies['@bpfskel/runtime']).toBe(version);
  });
});
