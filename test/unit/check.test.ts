import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { changeText } from '../../generator/api-diff.js';
import { check } from '../../generator/check.js';
import { checkJson, checkText } from '../../generator/check-text.js';
import { checksum } from '../../generator/checksum.js';
import { readHeader, sealed } from '../../generator/header.js';
import { plainGenArguments } from '../../generator/plain.js';
import { skeletonText } from './skeleton-text.js';

const goldens = fileURLToPath(new URL('../golden/', import.meta.url));
const golden = (name: string) => readFileSync(join(goldens, name, 'expected.skel.ts'), 'utf8');
const object = (name: string) => join(goldens, name, 'in.bpf.o');

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'bpfskel-check-'));
});
afterAll(() => rmSync(folder, { recursive: true }));

function file(text: string | Uint8Array, name = 'committed.skel.ts'): string {
  const path = join(folder, name);
  writeFileSync(path, text);
  return path;
}

type Edit = readonly [from: string | RegExp, to: string];

function edited(text: string, edits: readonly Edit[]): string {
  return edits.reduce((now, [from, to]) => {
    const next = now.replace(from, to);
    if (next === now) throw new Error(`nothing to replace by ${to}`);
    return next;
  }, text);
}

/** The skeleton that gen could have written, had it been another. */
function resealed(name: string, ...edits: readonly Edit[]): string {
  const unsealed = edited(golden(name), [[/(\/\/ checksum: )\w{16}/, '$10000000000000000'], ...edits]);
  return sealed(unsealed).toString();
}

/** The skeleton of an object that was another. */
function older(name: string, ...edits: readonly Edit[]): string {
  return resealed(name, ...edits, [/^const ELF = .*$/m, "const ELF = 'f0VMRg==';"]);
}

const lines = async (name: string, ...edits: readonly Edit[]) => {
  const verdict = await check({ skeleton: file(older(name, ...edits)), objects: [object(name)] });
  expect(verdict.edited).toBe(false);
  return verdict.changes.map(changeText);
};

describe('bpfskel check', () => {
  test.each(['maps', 'u64_number', 'ringbuf', 'record_union', 'names', 'embed_file', 'big_endian'])(
    'finds %s fresh, under the options that its header tells',
    async (name) => {
      const skeleton = join(goldens, name, 'expected.skel.ts');
      expect(await check({ skeleton, objects: [object(name)] })).toMatchObject({ fresh: true, changes: [] });
    },
  );

  test('takes the line ends of Windows for what they are', async () => {
    const skeleton = file(golden('maps').replaceAll('\n', '\r\n'));
    expect(await check({ skeleton, objects: [object('maps')] })).toMatchObject({
      fresh: true,
      edited: false,
    });
  });

  test.each<[string, string, Edit[], string[]]>([
    [
      'a field of another type',
      'ringbuf',
      [['pid: number;', 'pid: bigint;']],
      ['maps.typed, maps.asked, maps.tagged: field pid: bigint -> number (breaking)'],
    ],
    [
      'a field that is new in records, which nobody writes',
      'ringbuf',
      [[/^.* pid: number;\n/m, '']],
      ['maps.typed, maps.asked, maps.tagged: field pid added, number'],
    ],
    [
      'a field that is new where values are written',
      'globals',
      [[/^.* y: number;\n/m, '']],
      ['bss.point: field y added, number (breaking)'],
    ],
    [
      'a field that is no more',
      'globals',
      [['at 4 */ y: number;', 'at 4 */ y: number; /** int z; 4 bytes at 8 */ z: number;']],
      ['bss.point: field z removed, number (breaking)'],
    ],
    [
      'a layout that is another',
      'globals',
      [
        ['/** struct { … }, 8 bytes */', '/** struct { … }, 12 bytes */'],
        ['4 bytes at 4 */ y', '4 bytes at 8 */ y'],
      ],
      ['bss.point: layout: struct { … }, 12 bytes -> struct { … }, 8 bytes; y moved'],
    ],
    [
      'members that changed places',
      'globals',
      [
        ['at 0 */ x', 'at 4 */ x'],
        ['at 4 */ y', 'at 0 */ y'],
      ],
      ['bss.point: layout: x, y moved'],
    ],
    [
      'an arm of a union that is new, which the comment tells too',
      'union',
      [
        ['number, text, halves, real share bytes', 'number, text, halves share bytes'],
        [/^.* real: number;\n/m, ''],
      ],
      ['maps.m: field real added, number (breaking)'],
    ],
    [
      'another C type for the same type',
      'globals',
      [['/** int x; 4 bytes at 0 */', '/** unsigned int x; 4 bytes at 0 */']],
      ['bss.point: field x in C: unsigned int x; 4 bytes at 0 -> int x; 4 bytes at 0'],
    ],
    ['a map that is new', 'maps', [[/^ {4}plain: .*\n/m, '']], ['maps.plain: added, HashMap<number, Stats>']],
    [
      'a map that is no more',
      'maps',
      [
        ['    recent:', '    recent: lruHash(u64, u64),\n    /** once */\n    old:'],
        ['lruHash(u64, u64),\n    /** BPF_MAP_TYPE_PERCPU', 'hash(u64, u64),\n    /** BPF_MAP_TYPE_PERCPU'],
      ],
      ['maps.old: removed, HashMap<bigint, bigint> (breaking)'],
    ],
    [
      'a map of another kind',
      'maps',
      [['plain: hash(u32, Stats)', 'plain: lruHash(u64, Stats)']],
      ['maps.plain: LruHashMap<bigint, Stats> -> HashMap<number, Stats> (breaking)'],
    ],
    [
      'a map of another size',
      'maps',
      [['HASH, 64 entries: __u32', 'HASH, 32 entries: __u32']],
      [
        'maps.plain: in C: BPF_MAP_TYPE_HASH, 32 entries: __u32 to struct stats -> BPF_MAP_TYPE_HASH, 64 entries: __u32 to struct stats',
      ],
    ],
    [
      'a program of another kind',
      'programs',
      [["drop: xdp('xdp')", "drop: kprobe('kprobe/x')"]],
      ['progs.drop: KprobeProgram -> XdpProgram (breaking)'],
    ],
    [
      'a program elsewhere',
      'programs',
      [['SEC("kprobe/do_unlinkat")', 'SEC("kprobe/do_rmdir")']],
      ['progs.enter: in C: SEC("kprobe/do_rmdir") -> SEC("kprobe/do_unlinkat")'],
    ],
    [
      'a program by another name',
      'programs',
      [['    drop:', '    dropped:']],
      ['progs.drop: added, XdpProgram', 'progs.dropped: removed, XdpProgram (breaking)'],
    ],
    [
      'a global variable of another type',
      'globals',
      [['seen: at(24, u64)', 'seen: at(24, u32)']],
      ['bss.seen: number -> bigint (breaking)'],
    ],
    [
      'a section that is new',
      'globals',
      [[/^ {4}data: \{\n(.*\n){2} {4}\},\n/m, '']],
      ['data.limit: added, number'],
    ],
    [
      'variables elsewhere',
      'globals',
      [
        ['seen; 8 bytes at 24', 'seen; 8 bytes at 32'],
        ['sink; 8 bytes at 16', 'sink; 8 bytes at 40'],
      ],
      ['bss: layout: sink, seen moved'],
    ],
    [
      'values of an enum',
      'enums',
      [
        ['  DROP: 1,', '  DROP: 2,\n  WAIT: 3,'],
        [/^ {2}REDIRECT: 7,\n/m, ''],
      ],
      [
        'Verdict: value DROP: 2 -> 1 (breaking)',
        'Verdict: value REDIRECT added, 7',
        'Verdict: value WAIT removed, 3 (breaking)',
      ],
    ],
    [
      'what types records may have',
      'record_union',
      [[/^( {2}\| ExecEvent .*)\n/m, '']],
      ['maps.named: record of EVENT_EXEC added, ExecEvent (breaking)'],
    ],
    [
      'which records without a tag there may be',
      'record_union',
      [[/^ {2}\| Small\n/m, '  | Reply\n']],
      [
        'maps.sized: record Small added, Small (breaking)',
        'maps.sized: record Reply removed, Reply (breaking)',
      ],
    ],
    [
      'a field of one of several records',
      'record_union',
      [['code: number;', 'code: bigint;']],
      ['maps.named: field ExitEvent.code: bigint -> number (breaking)'],
    ],
    [
      'a member of a struct_ops map',
      'struct_ops',
      [[/^ {6}\/\*\* __u32 flags;.*\n {6}flags: .*\n/m, '']],
      ['struct_ops.calm.flags: added, number'],
    ],
    [
      'what a union with a tag is',
      'tagged_union',
      [
        [
          'typeof EventType.EVENT_EXIT;\n      /** struct { … } exit',
          'typeof EventType.EVENT_MAX;\n      /** struct { … } exit',
        ],
        ['4 bytes at 4 */ pid: number;', '4 bytes at 4 */ pid: bigint;'],
      ],
      [
        expect.stringMatching(/^.*: field (Event\.)?pid: bigint -> number \(breaking\)$/),
        expect.stringMatching(/^.*: field (Event\.)?exit of EVENT_EXIT added, EventExit \(breaking\)$/),
        expect.stringMatching(/^.*: field (Event\.)?exit of EVENT_MAX removed, EventExit \(breaking\)$/),
      ],
    ],
  ])('tells %s', async (_, name, edits, expected) => {
    expect(await lines(name, ...edits)).toEqual(expected);
  });

  test('tells the same API with another object from another API', async () => {
    const verdict = await check({ skeleton: file(older('maps')), objects: [object('maps')] });
    expect(verdict).toMatchObject({ fresh: false, edited: false, sameObject: false, changes: [] });
    expect(checkText(verdict)).toMatch(/stale: same API, but the object in it is not .*in\.bpf\.o\n/);
  });

  test('tells a file that was changed by hand, whatever was changed', async () => {
    const skeleton = file(golden('maps').replace('v.getBigUint64(o, true)', 'v.getBigInt64(o, true)'));
    const verdict = await check({ skeleton, objects: [object('maps')] });
    expect(verdict).toMatchObject({ fresh: false, edited: true, sameObject: true, changes: [] });
    expect(checkText(verdict)).toContain('same API and object, but the file is not as bpfskel wrote it');
  });

  test('asks nobody to generate again for a newer bpfskel alone', async () => {
    const skeleton = file(
      resealed('maps', ['bpfskel 0.1.0', 'bpfskel 0.0.9'], ['destroy(), or', 'close(), or']),
    );
    const verdict = await check({ skeleton, objects: [object('maps')] });
    expect(verdict).toMatchObject({ fresh: true, writtenBy: '0.0.9' });
    expect(checkText(verdict)).toMatch(/: fresh, written by bpfskel 0\.0\.9\n$/);
  });

  test('compares a skeleton that reads its object from a file', async () => {
    const verdict = await check({
      skeleton: file(resealed('embed_file', ['xdp(', 'kprobe('], ['xdp', 'kprobe, xdp'])),
      objects: [object('embed_file')],
    });
    expect(verdict.sameObject).toBeUndefined();
    expect(verdict.changes.map(({ kind }) => kind)).toEqual(['changed']);
  });

  test('looks at the object that a skeleton reads from a file', async () => {
    const skeleton = file(golden('embed_file'));
    const fresh = await check({ skeleton, objects: [object('embed_file')] });
    expect(checkText(fresh)).toMatch(/: fresh; the object it reads, in\.bpf\.o, is not there\n$/);
    const beside = file(readFileSync(object('embed_file')), 'in.bpf.o');
    expect(checkText(await check({ skeleton, objects: [beside] }))).toMatch(/: fresh\n$/);
    const old = file(resealed('embed_file', ['xdp(', 'kprobe('], ['xdp', 'kprobe, xdp']), 'old.skel.ts');
    expect((await check({ skeleton: old, objects: [beside] })).changes).toHaveLength(1);
    file(readFileSync(object('maps')), 'in.bpf.o');
    const stale = await check({ skeleton, objects: [object('embed_file')] });
    expect(stale).toMatchObject({ fresh: false, sameObject: false, changes: [] });
    expect(checkText(stale)).toContain('same API, but the object it reads, in.bpf.o, is not ');
    rmSync(beside);
  });

  describe('with an object for each architecture', () => {
    const skeleton = join(goldens, 'architectures/expected.skel.ts');
    const one = (file: string) => join(goldens, 'architectures', file);
    const [x86, arm64, other] = [one('in.x86.bpf.o'), one('in.arm64.bpf.o'), one('other.arm64.bpf.o')];

    test('knows them by their names', async () => {
      const verdict = await check({ skeleton, objects: [arm64, x86] });
      expect(verdict).toMatchObject({ fresh: true, objects: [x86, arm64] });
    });

    test('takes them in order when they have other names', async () => {
      const renamed = file(readFileSync(arm64), 'renamed.o');
      expect(await check({ skeleton, objects: [x86, renamed] })).toMatchObject({ fresh: true });
    });

    test('tells when one of them is another', async () => {
      const stale = file(
        edited(readFileSync(skeleton, 'utf8'), [[/^const ELF_ARM64 = .*$/m, "const ELF_ARM64 = 'AAAA';"]]),
      );
      const verdict = await check({ skeleton: stale, objects: [x86, arm64] });
      expect(verdict).toMatchObject({ fresh: false, sameObject: false, changes: [] });
      expect(verdict.command).toBe(
        `bpfskel gen --arch x64=${x86} --arch arm64=${arm64} --name architectures -o ${stale}`,
      );
    });

    test.each<[string, string[], RegExp]>([
      ['too few', [x86], /an object for each of x64, arm64: name all, .* in\.x86\.bpf\.o in\.arm64\.bpf\.o/],
      ['objects that differ', [x86, other], /nothing can be generated from .* and .*other\.arm64/],
    ])('refuses %s in a sentence', async (_, objects, expected) => {
      await expect(check({ skeleton, objects })).rejects.toThrow(expected);
    });

    test('refuses a second object where there is one', async () => {
      await expect(check({ skeleton: file(golden('maps')), objects: [x86, arm64] })).rejects.toThrow(
        /has one object, and 2 are named/,
      );
    });
  });

  test('goes on when an option names what is gone', async () => {
    const skeleton = file(
      older(
        'ringbuf',
        ['asked=event', 'asked=event --record lost=event --type evnt'],
        [/ {4}asked: /, '    lost: '],
      ),
    );
    const verdict = await check({ skeleton, objects: [object('ringbuf')] });
    expect(checkText(verdict).split('\n').slice(1)).toEqual([
      '  maps.asked: added, PerfEventArray<Event>',
      '  maps.lost: removed, PerfEventArray<Event> (breaking)',
      expect.stringMatching(
        /^ {2}--record lost=event fits no more: .* has no map "lost"; it has untyped, typed/,
      ),
      expect.stringMatching(/^ {2}--type evnt fits no more: .* no type "evnt"; it has event$/),
      'generate it again, with options that fit',
      '',
    ]);
  });

  test('compares objects that really differ', async () => {
    const other = join(goldens, 'architectures/other.arm64.bpf.o');
    const skeleton = file(skeletonText({ object: other, name: 'x' }));
    const verdict = await check({ skeleton, objects: [join(goldens, 'architectures/in.arm64.bpf.o')] });
    expect(verdict.changes.map(changeText)).toEqual([
      'bss.more: removed, bigint (breaking)',
      'maps.calls: field time: bigint -> number (breaking)',
      'maps.calls: layout: struct call, 24 bytes -> struct call, 16 bytes',
    ]);
  });

  test('says how to write it anew, with the options that wrote it', async () => {
    const skeleton = file(older('ringbuf', ['pid: number;', 'pid: bigint;']));
    const verdict = await check({ skeleton, objects: [object('ringbuf')] });
    expect(verdict.command).toBe(
      `bpfskel gen ${object('ringbuf')} --name ringbuf --record asked=event -o ${skeleton}`,
    );
    expect(JSON.parse(checkJson(verdict))).toMatchObject({
      fresh: false,
      breaking: true,
      source: 'in.bpf.o',
    });
  });

  const skeleton = () => file(golden('maps'));
  test.each<[string, () => [string, string], RegExp]>([
    ['arguments in the wrong order', () => [object('maps'), skeleton()], /skeleton comes first/],
    ['two skeletons', () => [skeleton(), skeleton()], /object comes second/],
    ['a file that is no skeleton', () => [file('export {}'), object('maps')], /not a skeleton, it does not/],
    ['an empty file', () => [file(''), object('maps')], /not a skeleton/],
    ['a header alone', () => [file(golden('maps').slice(0, 300)), object('maps')], /not a whole skeleton/],
    [
      'no TypeScript',
      () => [file(older('maps', ['maps: {', 'maps: {{'])), object('maps')],
      /line 25 is no TypeScript/,
    ],
    [
      'nothing exported',
      () => [file(older('maps', ['export const maps:', 'const maps:'])), object('maps')],
      /it exports no skeleton/,
    ],
    [
      'no description',
      () => [file(older('maps', ['progs: {},', ''])), object('maps')],
      /no description of maps and programs/,
    ],
    [
      'a skeleton of a newer bpfskel',
      () => [file(older('maps', ['bpfskel 0.1.0', 'bpfskel 1.0.0'])), object('maps')],
      /written by bpfskel 1\.0\.0, and this is/,
    ],
    [
      'options of another bpfskel',
      () => [file(older('maps', ['--name maps', '--wish maps'])), object('maps')],
      /options that bpfskel .* does not know: --wish maps/,
    ],
    ['a file that is no object', () => [skeleton(), file('nothing', 'no.o')], /no\.o: not an ELF file/],
    ['an object that ends early', () => [skeleton(), cut('maps')], /cut\.o: malformed/],
    ['a file that is not there', () => [skeleton(), join(folder, 'none.o')], /none\.o: no such file/],
    ['a folder', () => [folder, object('maps')], /is a folder/],
  ])('refuses %s in a sentence', async (_, files, expected) => {
    const [skeleton, object] = files();
    await expect(check({ skeleton, objects: [object] })).rejects.toThrow(expected);
  });

  function cut(name: string): string {
    return file(readFileSync(object(name)).subarray(0, 700), 'cut.o');
  }
});

describe('the header of a skeleton', () => {
  test('tells the options that wrote it, whatever they hold', () => {
    const odd = 'struct event | "x" \\ \u202e ☃';
    const given = plainGenArguments([
      object('ringbuf'),
      '--name',
      'ringbuf',
      '--record',
      'asked=struct event',
    ]);
    const text = skeletonText({ ...given, object: object('ringbuf') });
    expect(readHeader(text)).toEqual({
      version: expect.any(String),
      source: 'in.bpf.o',
      options: ['--name', 'ringbuf', '--record', 'asked=struct event'],
      intact: true,
    });
    expect(() => skeletonText({ ...given, object: object('ringbuf'), type: [odd] })).toThrow(/no type/);
  });

  test('has the same checksum wherever its bytes lie in memory', () => {
    const bytes = Buffer.from(golden('ringbuf'));
    const moved = [0, 1, 2, 3].map((at) => Buffer.concat([Buffer.alloc(at), bytes]).subarray(at));
    expect(new Set(moved.map(checksum)).size).toBe(1);
    expect(checksum(Buffer.from('bpfskel'))).toBe('a9ea2d26b97c59b5');
  });

  test('has a checksum that every change of a character changes', () => {
    const of = (text: string) => checksum(Buffer.from(text));
    fc.assert(
      fc.property(
        fc.string({ minLength: 1, maxLength: 60 }),
        fc.nat(),
        fc.string({ maxLength: 2 }),
        (text, at, other) => {
          const place = at % text.length;
          const changed = text.slice(0, place) + other + text.slice(place + 1);
          expect(of(changed) === of(text)).toBe(changed === text);
          expect(of(text)).toMatch(/^[0-9a-f]{16}$/);
        },
      ),
    );
  });
});
