import { execFileSync, spawn, spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { plainGenArguments } from '../../generator/plain.js';

// The command line as users meet it: the built tool, in a process of its own.

const root = fileURLToPath(new URL('../..', import.meta.url));
const cli = join(root, 'dist/cli.js');
const object = join(root, 'test/golden/globals/in.bpf.o');
let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'bpfskel-cli-'));
});
afterAll(() => rmSync(folder, { recursive: true }));

function run(...args: string[]) {
  return spawnSync(process.execPath, [cli, ...args], { encoding: 'utf8', cwd: folder });
}

describe('bpfskel gen', () => {
  // The tool has tables of the kinds of maps and programs instead of their classes: it must know as much of them.
  test.each(['globals', 'maps', 'map_kinds', 'map_in_map', 'programs', 'contexts'])(
    'writes the skeleton of %s to standard output and nothing else',
    (name) => {
      const golden = join(root, 'test/golden', name);
      const { status, stdout, stderr } = run('gen', join(golden, 'in.bpf.o'), '--name', name);
      expect([status, stderr]).toEqual([0, '']);
      expect(stdout).toBe(readFileSync(join(golden, 'expected.skel.ts'), 'utf8'));
    },
  );

  test('writes a file whole, and leaves nothing beside it', () => {
    const output = join(folder, 'out.skel.ts');
    writeFileSync(output, 'old');
    symlinkSync('out.skel.ts', join(folder, 'link.skel.ts'));
    expect(run('gen', object, '-o', join(folder, 'link.skel.ts')).status).toBe(0);
    expect(readFileSync(output, 'utf8')).toContain('export const in_:');
    expect(readdirSync(folder).sort()).toEqual(['link.skel.ts', 'out.skel.ts']);
  });

  test('leaves the file as it was when the object is bad', () => {
    const output = join(folder, 'keep.skel.ts');
    writeFileSync(output, 'old');
    expect(run('gen', cli, '-o', output).status).toBe(1);
    expect(readFileSync(output, 'utf8')).toBe('old');
    rmSync(output);
  });

  test('reads standard input', () => {
    const input = readFileSync(object);
    const text = execFileSync(process.execPath, [cli, 'gen', '-', '--name', 'piped'], {
      input,
      encoding: 'utf8',
    });
    expect(text).toContain('export const piped:');
  });

  test('ends quietly when its reader does', async () => {
    const child = spawn(process.execPath, [cli, 'gen', object], { stdio: ['ignore', 'pipe', 'pipe'] });
    child.stdout.destroy();
    let stderr = '';
    child.stderr.on('data', (chunk) => {
      stderr += chunk;
    });
    const status = await new Promise((resolve) => child.on('exit', resolve));
    expect([status, stderr]).toEqual([0, '']);
  });

  test('points to the object from where the skeleton lies', () => {
    const output = join(folder, 'beside.skel.ts');
    writeFileSync(join(folder, 'a b.bpf.o'), readFileSync(object));
    expect(run('gen', 'a b.bpf.o', '--embed', 'file', '-o', output).status).toBe(0);
    expect(readFileSync(output, 'utf8')).toContain("new URL('./a%20b.bpf.o', import.meta.url)");
  });
});

describe('bpfskel check', () => {
  const golden = join(root, 'test/golden/maps');
  const skeleton = join(golden, 'expected.skel.ts');

  test('says fresh with status 0, and does not load ts-morph for it', () => {
    const spy = join(folder, 'spy.cjs');
    const loaded = "Object.keys(require.cache).some((path) => path.includes('ts-morph'))";
    writeFileSync(spy, `process.on('exit', () => process.stderr.write(String(${loaded})));`);
    const check = (object: string) =>
      spawnSync(process.execPath, ['--require', spy, cli, 'check', skeleton, object], { encoding: 'utf8' });
    const fresh = check(join(golden, 'in.bpf.o'));
    expect(fresh).toMatchObject({ status: 0, stdout: `${skeleton}: fresh\n`, stderr: 'false' });
    const stale = check(object);
    expect(stale).toMatchObject({ status: 1, stderr: 'true' });
    expect(stale.stdout).toContain('  maps.plain: removed, HashMap<number, Stats> (breaking)\n');
  });

  test('reads the object from standard input, and prints JSON', () => {
    const input = readFileSync(join(golden, 'in.bpf.o'));
    const { status, stdout } = spawnSync(process.execPath, [cli, 'check', skeleton, '-', '--json'], {
      input,
      encoding: 'utf8',
    });
    expect(status).toBe(0);
    expect(JSON.parse(stdout)).toMatchObject({ fresh: true, edited: false, breaking: false, changes: [] });
  });

  test('takes a skeleton and an object, and says so with status 2', () => {
    expect(run('check', skeleton)).toMatchObject({ status: 2, stdout: '' });
    expect(run('check', object, skeleton)).toMatchObject({ status: 2, stdout: '' });
    expect(run('check', cli, object)).toMatchObject({ status: 1, stdout: '' });
  });
});

describe('a command line that', () => {
  test.each([
    ['is empty', [], 2, 'which command?'],
    ['misspells a command', ['gne', 'x.o'], 2, 'unknown command "gne"; did you mean gen?'],
    ['names no object', ['gen'], 2, 'which object? bpfskel gen OBJECT'],
    ['names no source', ['build'], 2, 'build: which sources? bpfskel build SOURCE.bpf.c...'],
    [
      'names no skeleton',
      ['check'],
      2,
      'check: which skeleton, of which object? bpfskel check SKELETON OBJECT',
    ],
    ['names a skeleton alone', ['check', 'x.skel.ts'], 2, 'check: which skeleton, of which object?'],
    ['names nothing to inspect', ['inspect'], 2, 'inspect: which object? bpfskel inspect OBJECT'],
    ['names nothing to verify', ['verify'], 2, 'verify: which objects? bpfskel verify OBJECT...'],
    ['names an object twice', ['gen', object, '--arch', 'x86=a.o'], 2, 'an object, or objects with --arch'],
    ['names two objects', ['gen', 'a.o', 'b.o'], 2, 'Unknown argument: b.o'],
    ['has an unknown option', ['gen', object, '--fast'], 2, 'Unknown argument: fast'],
    ['has an option without its value', ['gen', object, '--record'], 2, '--record needs a value'],
    ['has a wrong choice', ['gen', object, '--u64', 'string'], 2, '--u64 takes bigint or number'],
    ['has a bad record', ['gen', object, '--record', 'events'], 2, 'is not MAP=TYPE'],
    ['has a bad name', ['gen', object, '--name', 'a-b'], 2, '"a-b" is not an identifier'],
    ['reads from nowhere a name could come', ['gen', '-'], 2, 'give the skeleton one with --name'],
    ['names no file', ['gen', 'none.o'], 1, 'gen none.o: no such file or folder'],
    ['names a folder', ['gen', '/'], 1, 'gen /: is a folder, not a file'],
    ['names no BPF object', ['gen', cli], 1, 'not an ELF file'],
    [
      'asks for a map that is not there',
      ['gen', object, '--record', 'events=x'],
      1,
      'the object has no map "events"',
    ],
    ['asks for a type that is not there', ['gen', object, '--type', 'pint'], 1, 'has no type "pint"'],
    ['writes to nowhere', ['gen', object, '-o', '/none/x.ts'], 1, 'write /none/x.ts: no such file or folder'],
    ['inspects what is not there', ['inspect', 'none.o'], 1, 'inspect none.o: no such file or folder'],
    ['builds what is not there', ['build', 'none.bpf.c'], 1, 'build none.bpf.c: no such file'],
  ])('%s is refused in one sentence', (_, args, status, message) => {
    const result = run(...args);
    expect(result.status).toBe(status);
    expect(result.stdout).toBe('');
    expect(result.stderr).toMatch(/^bpfskel: [^\n]+\n$/);
    expect(result.stderr).toContain(message);
  });

  test('asks for help gets it on standard output', () => {
    for (const args of [['--help'], ['gen', '--help'], ['--version']]) {
      const { status, stdout, stderr } = run(...args);
      expect([status, stderr]).toEqual([0, '']);
      expect(stdout).not.toBe('');
    }
  });
});

describe('bpfskel build', () => {
  /** Stands in for clang: gives a compiled object, or complains and fails. */
  function compiler(name: string, script: string): string {
    const file = join(folder, name);
    writeFileSync(file, `#!/bin/sh\n[ "$1" = --version ] && exit 0\n${script}\n`, { mode: 0o755 });
    return file;
  }
  const build = (clang: string, ...args: string[]) =>
    spawnSync(process.execPath, [cli, 'build', ...args], {
      encoding: 'utf8',
      cwd: folder,
      env: { ...process.env, CLANG: clang },
    });

  test('puts object and skeleton beside each source', () => {
    const clang = compiler(
      'good-clang',
      `for last; do :; done; cp '${object}' "$last"; echo "$@" > arguments`,
    );
    writeFileSync(join(folder, 'prog.bpf.c'), '');
    const { status, stderr } = build(clang, 'prog.bpf.c', '-D', 'FAST=1', '-I', 'headers');
    expect([status, stderr]).toEqual([0, 'prog.bpf.o\nprog.skel.ts\n']);
    expect(readFileSync(join(folder, 'prog.bpf.o'))).toEqual(readFileSync(object));
    expect(readFileSync(join(folder, 'prog.skel.ts'), 'utf8')).toContain('export const prog:');
    const given = readFileSync(join(folder, 'arguments'), 'utf8');
    expect(given).toMatch(/^-target bpf -O2 -g .*-DFAST=1 .*-Iheaders .*-c prog\.bpf\.c -o /);
  });

  test('passes on what the compiler says, and writes nothing', () => {
    const clang = compiler('bad-clang', 'echo "bad.bpf.c:1:1: error: no" >&2; exit 1');
    writeFileSync(join(folder, 'bad.bpf.c'), '');
    const { status, stderr } = build(clang, 'bad.bpf.c');
    expect(status).toBe(1);
    expect(stderr).toContain('bad.bpf.c:1:1: error: no\nbpfskel: build bad.bpf.c: ');
    expect(readdirSync(folder).filter((file) => file.startsWith('bad.'))).toEqual(['bad.bpf.c']);
  });

  test('says that $CLANG does not run', () => {
    const { status, stderr } = build('/none/clang', 'prog.bpf.c');
    expect([status, stderr]).toEqual([1, 'bpfskel: build: $CLANG is /none/clang, which does not run\n']);
  });
});

describe('bpfskel inspect', () => {
  test('reads standard input', () => {
    const input = readFileSync(object);
    const text = execFileSync(process.execPath, [cli, 'inspect', '-'], { input, encoding: 'utf8' });
    expect(text).toContain('standard input');
  });

  test('shows globals, types and programs for people', () => {
    const { status, stdout } = run('inspect', object);
    expect(status).toBe(0);
    expect(stdout).toContain('const volatile __u32 target_pid');
    expect(stdout).toContain('SEC("xdp")');
    expect(stdout).not.toContain('\x1b');
  });

  test('draws a struct with its padding and bitfields', () => {
    const { stdout } = run('inspect', join(root, 'test/golden/bitfields/in.bpf.o'));
    expect(stdout).toContain('__u32 a : 3');
    expect(stdout).toContain('(padding)');
    expect(stdout).toMatch(/0 \|a:3 b:29 +\|c:7/);
  });

  test('prints JSON', () => {
    const { stdout } = run('inspect', '--json', object);
    const { maps, programs, sections } = JSON.parse(stdout);
    expect(maps).toEqual([]);
    expect(programs).toEqual([
      {
        name: 'count',
        section: 'xdp',
        type: 'XDP',
        target: '',
        autoload: true,
        instructions: expect.any(Number),
      },
    ]);
    expect(sections.map((section: { property: string }) => section.property)).toContain('data_custom');
  });
});

describe('bpfskel inspect of an object with registers', () => {
  const probe = (arch: string) => join(root, `test/golden/architectures/in.${arch}.bpf.o`);
  test.each([
    ['x86', 'x64'],
    ['arm64', 'arm64'],
  ])('says whose they are: %s', (file, arch) => {
    expect(run('inspect', probe(file)).stdout).toContain(`little-endian, registers of ${arch}, licence GPL`);
    expect(JSON.parse(run('inspect', probe(file), '--json').stdout).architecture).toBe(arch);
  });

  test('says nothing of one that has none', () => {
    expect(JSON.parse(run('inspect', object, '--json').stdout)).not.toHaveProperty('architecture');
  });
});

describe('the short way to read the arguments of gen', () => {
  test.each([
    [['x.o'], { object: 'x.o' }],
    [['-o', 'y.ts', 'x.o'], { object: 'x.o', output: 'y.ts' }],
    [['x.o', '--output=y.ts', '--u64', 'number'], { object: 'x.o', output: 'y.ts', u64: 'number' }],
    [['x.o', '--record', 'a=b', '--record', 'c=d'], { object: 'x.o', record: ['a=b', 'c=d'] }],
    [['-'], { object: '-' }],
    [['--arch', 'x86=a.o', '--arch', 'arm64=b.o'], { object: '', arch: ['x86=a.o', 'arm64=b.o'] }],
  ])('understands %j', (args, expected) => {
    expect(plainGenArguments(args)).toEqual(expected);
  });

  test.each([[[]], [['a', 'b']], [['--help']], [['x.o', '--nope']], [['x.o', '--name']]])(
    'leaves %j to the long way',
    (args) => {
      expect(plainGenArguments(args)).toBeUndefined();
    },
  );
});
