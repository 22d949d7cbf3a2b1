// What the rows work with: programs built for the run and files of this repository.
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { rolldown } from 'rolldown';
import { root } from '../run/command.mjs';
import { find } from '../run/host.mjs';

const here = join(root, 'test/bench');
/** Inside the repository, so that generated modules find the runtime. */
const work = join(root, 'build/bench');

/** Builds what is built at run time. Throws when a compiler or a library is missing. */
export async function prepareTools() {
  let large;
  rmSync(work, { recursive: true, force: true });
  mkdirSync(work, { recursive: true });
  const cli = join(root, 'dist/bpfskel.cjs');
  const data = join(here, 'data.o');
  const theirs = join(work, 'theirs');
  execFileSync('gcc', ['-O2', '-o', theirs, join(here, 'theirs.c'), '-lbpf'], { stdio: 'inherit' });
  return {
    cli,
    data,
    theirs,
    output: join(work, 'output'),
    ours: join(here, 'ours.mjs'),
    load: join(here, 'load.o'),
    hello: join(root, 'examples/hello/hello_kern.o'),
    skeleton: await skeleton(cli, data),
    // Compiled only for the row that asks: it takes a minute.
    get large() {
      large ??= largeObject();
      return large;
    },
    selftests: existsSync(selftests) ? selftests : undefined,
    bpftool: find('bpftool'),
    install,
  };
}

/** The typed module of an object as JavaScript: Node 20 does not run TypeScript. */
async function skeleton(cli, object) {
  const source = join(work, 'data.skel.ts');
  const options = ['--record', 'events=event', '--type', 'task'];
  execFileSync(process.execPath, [cli, 'gen', object, ...options, '-o', source]);
  const bundle = await rolldown({ input: source, external: [/^@bpfskel/], platform: 'node' });
  const file = join(work, 'data.skel.mjs');
  await bundle.write({ file, format: 'esm' });
  await bundle.close();
  return file;
}

/** Where `npm run conformance` leaves the kernel's own tests. */
const selftests = join(process.env.XDG_CACHE_HOME ?? join(homedir(), '.cache'), 'bpfskel/selftests/objects');

/** The kernel's own largest test when they were compiled, else as many types and functions. */
function largeObject() {
  const kernels = join(selftests, 'pyperf600.o');
  const path = existsSync(kernels) ? kernels : compileLarge();
  return { path, size: statSync(path).size };
}

function compileLarge() {
  const source = join(work, 'large.bpf.c');
  const parts = Array.from(
    { length: 1500 },
    (_, i) => `
struct s${i} { __u64 first; __u32 second[${(i % 7) + 1}]; char name[${(i % 16) + 1}]; };
struct { __uint(type, BPF_MAP_TYPE_HASH); __uint(max_entries, 16); __type(key, __u32); __type(value, struct s${i}); } m${i} SEC(".maps");
struct s${i} global${i};
SEC("socket") int p${i}(void *ctx) { __u32 key = ${i}; struct s${i} *s = bpf_map_lookup_elem(&m${i}, &key);
  if (!s) return 0; s->first += global${i}.first; global${i}.second[0] = s->second[0]; return s->name[0]; }`,
  );
  writeFileSync(source, `#include <linux/bpf.h>\n#include <bpf/bpf_helpers.h>\n${parts.join('')}\n`);
  const object = join(work, 'large.o');
  const flags = ['-g', '-O2', '--target=bpf', '-I/usr/include/x86_64-linux-gnu'];
  execFileSync(find('clang-19') ?? 'clang', [...flags, '-c', source, '-o', object], { stdio: 'inherit' });
  return object;
}

/** Installs the packed runtime as a user would; its packages and their bytes. */
function install() {
  const folder = join(work, 'consumer');
  mkdirSync(folder);
  const npm = (cwd, ...args) =>
    execFileSync('npm', args, { cwd, encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] });
  try {
    const packed = npm(join(root, 'runtime'), 'pack', '--silent', '--pack-destination', folder).trim();
    writeFileSync(join(folder, 'package.json'), '{ "private": true }');
    const quiet = ['--no-audit', '--no-fund', '--prefer-offline', '--omit=dev'];
    npm(folder, 'install', ...quiet, join(folder, packed.split('\n').at(-1)));
  } catch (error) {
    return {
      missing: `npm: ${String(error.stderr ?? error.message)
        .trim()
        .split('\n')
        .at(-1)}`,
    };
  }
  const modules = join(folder, 'node_modules');
  const files = readdirSync(modules, { recursive: true, withFileTypes: true }).filter((file) =>
    file.isFile(),
  );
  const bytes = files.reduce((sum, file) => sum + statSync(join(file.parentPath, file.name)).size, 0);
  const packages = readdirSync(modules)
    .filter((name) => !name.startsWith('.'))
    .flatMap((name) =>
      name.startsWith('@') ? readdirSync(join(modules, name)).map((one) => `${name}/${one}`) : name,
    );
  return { bytes, packages };
}
