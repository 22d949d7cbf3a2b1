import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { isBpfError, verifyObject } from '@bpfskel/runtime';
import { type FakeKernel, fakeKernel } from '@bpfskel/runtime/testing';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { ERRNO } from '../../runtime/src/kernel/errno.js';
import type { ProgLoad } from '../../runtime/src/kernel/kernel.js';
import { ObjectEditor } from './object-editor.js';

const file = (path: string) => fileURLToPath(new URL(path, import.meta.url));
const xdp = file('../../examples/xdp/xdp_kern.o');
const pins = file('../testdata/conformance/map_pinned.o');
const core = file('../testdata/core_fields.o');
const sections = file('../testdata/conformance/program_sections.o');
const { BPF_PROG_TYPE_XDP, BPF_XDP } = { BPF_PROG_TYPE_XDP: 6, BPF_XDP: 37 };

let kernel: FakeKernel;
let folder: string;
beforeEach(() => {
  kernel = fakeKernel({ cpus: 2 });
});
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'bpfskel-verify-'));
});
afterAll(() => rmSync(folder, { recursive: true }));

function written(name: string, bytes: Uint8Array): string {
  const path = join(folder, name);
  writeFileSync(path, bytes);
  return path;
}

/** Plays a verifier that accepts, with this to say when it is asked for statistics. */
function saying(log: string): ProgLoad[] {
  const seen: ProgLoad[] = [];
  const load = kernel.progLoad.bind(kernel);
  kernel.progLoad = (request) => {
    seen.push(request);
    if (request.log) new TextEncoder().encodeInto(log, request.log.buffer);
    return load(request);
  };
  return seen;
}

describe('verifyObject() of a program that', () => {
  it('is accepted says what the kernel made of it', () => {
    const { programs, ...rest } = verifyObject(xdp, { kernel });
    expect(programs).toEqual([
      {
        ...{ name: 'count_packets', section: 'xdp', type: BPF_PROG_TYPE_XDP, attach: BPF_XDP, err: 0 },
        tag: expect.stringMatching(/^[0-9a-f]{16}$/),
        insns: expect.any(Number),
      },
    ]);
    expect(rest).toEqual({
      ...{ object: xdp, open: 0, load: 0 },
      maps: [
        { name: 'by_protocol', type: 6, key: 4, value: 16, max: 256, flags: 0 },
        { name: 'xdp_kern.rodata', type: 2, key: 4, value: expect.any(Number), max: 1, flags: 1152 },
      ],
    });
  });

  it('is refused says why, with the whole log apart', () => {
    kernel.rejectProgram('count_packets', 'R1 is bad\nprocessed 1 insns\n');
    const { programs, load, message } = verifyObject(xdp, { kernel });
    expect(programs[0]).toMatchObject({ err: -ERRNO.EACCES, log: 'R1 is bad\nprocessed 1 insns\n' });
    expect(programs[0]?.message).toMatch(/^load program "count_packets": verifier: R1 is bad/);
    expect(programs[0]).not.toHaveProperty('tag');
    expect([load, message]).toEqual([-ERRNO.EACCES, programs[0]?.message]);
  });

  it('needs types that the kernel does not tell is refused for that reason', () => {
    const { programs } = verifyObject(core, { kernel });
    for (const { err, message } of programs) {
      expect([err < 0, message]).toEqual([true, expect.stringMatching(/\/sys\/kernel\/btf\/vmlinux/)]);
    }
  });
});

describe('statistics of the verifier are read from', () => {
  it.each([
    [
      'what kernels print now',
      'verification time 152 usec\nstack depth 16+8\nprocessed 45 insns (limit 1000000) max_states_per_insn 1 total_states 5 peak_states 4 mark_read 3\n',
      { processed: 45, totalStates: 5, peakStates: 4, time: 152, stack: '16+8' },
    ],
    [
      'what Linux 5.2 printed',
      'processed 1000000 insns (limit 1000000) max_states_per_insn 22 total_states 33 peak_states 33 mark_read 1\n',
      { processed: 1_000_000, totalStates: 33, peakStates: 33 },
    ],
    ['what Linux 4.20 printed', 'processed 7 insns, stack depth 0\n', { processed: 7 }],
    ['nothing, where there is none', '', undefined],
    ['nothing, where it is something else', 'func#0 @0\ntotal_statesman 7\n', undefined],
  ])('%s', (_, log, statistics) => {
    const requests = saying(log);
    expect(verifyObject(xdp, { kernel }).programs[0]?.statistics).toEqual(statistics);
    expect(requests.find((request) => request.name === 'count_packets')?.log?.level).toBe(4);
  });
});

describe('verifyObject()', () => {
  it('loads each program alone, those that are optional as well', () => {
    const loaded: string[] = [];
    const load = kernel.progLoad.bind(kernel);
    kernel.progLoad = (request) => {
      if (request.name !== undefined && request.name !== '') loaded.push(request.name);
      return load(request);
    };
    const { programs } = verifyObject(sections, { kernel });
    const names = programs.map(({ name }) => name);
    expect(names).toEqual(['first', 'second', 'optional', 'fragments']);
    // At last everything that loads by itself, together.
    expect(loaded.filter((name) => names.includes(name))).toEqual([...names, 'first', 'second', 'fragments']);
  });

  it('tells which program is next', () => {
    const seen: unknown[] = [];
    verifyObject(sections, { kernel, onProgram: (...place) => seen.push(place) });
    expect(seen).toEqual([
      ['first', 0, 4],
      ['second', 1, 4],
      ['optional', 2, 4],
      ['fragments', 3, 4],
    ]);
  });

  it('leaves nothing in the kernel, whatever it said', () => {
    for (const path of [xdp, sections, pins]) verifyObject(path, { kernel });
    kernel.rejectProgram('count_packets', 'no\n');
    verifyObject(xdp, { kernel });
    expect([kernel.openFds, kernel.maps, kernel.programs]).toEqual([[], [], []]);
  });

  it('keeps its hands off pinned maps', () => {
    kernel.failing('pin', 'EPERM');
    kernel.failing('pinned', 'EPERM');
    expect(verifyObject(pins, { kernel })).toMatchObject({ load: 0, programs: [{ err: 0 }] });
  });

  it('has every program refused when a map is', () => {
    kernel.failing('mapCreate', 'EPERM', { name: 'by_protocol' });
    const { programs, load } = verifyObject(xdp, { kernel });
    expect([programs[0]?.err, load]).toEqual([-ERRNO.EPERM, -ERRNO.EPERM]);
    expect(programs[0]?.message).toMatch(/^create map "by_protocol": /);
  });

  it.each([
    ['is not there', () => join(folder, 'none.o'), 'ENOENT', /none\.o: no such file/],
    ['is a folder', () => folder, 'EISDIR', /it is a directory/],
    ['is no object', () => written('text.o', new TextEncoder().encode('hello')), 'EINVAL', /not an ELF/],
    [
      'is broken',
      () => written('cut.o', new ObjectEditor('maps.o').word('.BTF', 8, 0xffff_ffff).bytes),
      'EINVAL',
      /^malformed \.BTF at byte \d+: /,
    ],
  ] as const)('answers for a file that %s', (_, path, errno, message) => {
    const { open, load, maps, programs, ...rest } = verifyObject(path(), { kernel });
    expect([open, load, maps, programs]).toEqual([-ERRNO[errno], -ERRNO[errno], [], []]);
    expect(rest.message).toMatch(message);
  });

  it.each([
    ['is not there', () => '/none.btf', /types of the kernel from \/none\.btf: there is no such file/],
    ['is not BTF', () => new TextEncoder().encode('0123456789abcdef0123456789abcdef'), /kernelBtf/],
  ])('throws when the BTF to relocate against %s', (_, kernelBtf, message) => {
    const verify = () => verifyObject(xdp, { kernel, kernelBtf: kernelBtf() });
    expect(verify).toThrow(message);
    expect(verify).toThrow(expect.toSatisfy(isBpfError));
  });
});
