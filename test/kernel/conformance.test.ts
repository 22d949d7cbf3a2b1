import { execFileSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { basename, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type Verification, verifyObject } from '@bpfskel/runtime';
import { beforeAll, describe, expect, it } from 'vitest';

// libbpf, the system's, loads the same objects into the same kernel. Equal tags are equal instructions, after every
// relocation. The kernel's own selftests are compared by `npm run conformance`.

const root = fileURLToPath(new URL('../..', import.meta.url));
const small = join(root, 'test/testdata/conformance');

const objects = [
  ...readdirSync(small)
    .filter((name) => name.endsWith('.o'))
    .map((name) => join(small, name)),
  ...['core_fields', 'layout', 'maps', 'refused'].map((name) => join(root, `test/testdata/${name}.o`)),
  ...['execsnoop/execsnoop_kern', 'hello/hello_kern', 'xdp/xdp_kern'].map((name) =>
    join(root, `examples/${name}.o`),
  ),
];
// Left out are objects that libbpf does not open: with static functions in a section of programs (beside.o) and with
// SEC("maps") (legacy.o, sockex1_kern.o), which are accepted on purpose; and arena.o, which libbpf 1.1 does not know.

let oracle: string;
let libbpf: string;
beforeAll(() => {
  const run = (file: string, ...args: string[]) => execFileSync(file, args, { encoding: 'utf8' }).trim();
  oracle = run(process.execPath, join(root, 'test/conformance/oracle.mjs'));
  libbpf = run(oracle, '--version').replace(/^v/, '');
});

/** What libbpf makes of an object; the form is that of `bpfskel verify --json`. */
function reference(path: string): Verification {
  return JSON.parse(execFileSync(oracle, [path], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] }));
}

const verified = new Map<string, Verification>();

/** What bpfskel makes of it; asked once, as emulated kernels are slow. */
function ours(path: string): Verification {
  const verification = verified.get(path) ?? verifyObject(path);
  verified.set(path, verification);
  return verification;
}

/** The libbpf that a source says it needs for its tags: `// libbpf: 1.3`. */
function neededLibbpf(path: string): string | undefined {
  return /^\/\/ libbpf: (\d+\.\d+)/m.exec(readFileSync(path.replace(/\.o$/, '.bpf.c'), 'utf8'))?.[1];
}

function isOlder(version: string, than: string): boolean {
  const [[major = 0, minor = 0], [wantedMajor = 0, wantedMinor = 0]] = [version, than].map((text) =>
    text.split('.').map(Number),
  ) as [number[], number[]];
  return major < wantedMajor || (major === wantedMajor && minor < wantedMinor);
}

/** What must be the same. */
function comparable({ open, maps, programs, load }: Verification, withTags: boolean) {
  return {
    opens: open === 0,
    loads: load === 0,
    maps,
    programs: programs.map(({ name, section, type, attach, err, tag }) => ({
      // libbpf tells the member of a struct_ops program only once a map that uses it is loaded.
      ...{ name, section, type, attach: section.startsWith('struct_ops') ? undefined : attach },
      verdict: err === 0 ? (withTags ? tag : 'accepted') : 'refused',
    })),
  };
}

describe('libbpf makes the same of', () => {
  it.each(objects.map((path) => [basename(path), path] as const))('%s', (_, path) => {
    const needed = neededLibbpf(path);
    const withTags = needed === undefined || !isOlder(libbpf, needed);
    expect(comparable(ours(path), withTags)).toEqual(comparable(reference(path), withTags));
  });
});

describe('the objects that are compared', () => {
  it('exercise this kernel: it accepts most of their programs', () => {
    const programs = objects.flatMap((path) => ours(path).programs);
    const accepted = programs.filter(({ err }) => err === 0);
    expect(accepted.length).toBeGreaterThan(programs.length / 2);
    expect(new Set(accepted.map(({ tag }) => tag)).size).toBeGreaterThan(40);
  });

  it('say in a comment what is subtle about them', () => {
    for (const path of objects.filter((object) => object.startsWith(small))) {
      expect(readFileSync(path.replace(/\.o$/, '.bpf.c'), 'utf8'), relative(root, path)).toMatch(
        /^\/\/ \S.{20}/,
      );
    }
  });
});
