import { describe, expect, test } from 'vitest';
import { Btf } from '../../runtime/src/btf/btf.js';
import { Insns, LD_IMM64 } from '../../runtime/src/insn.js';
import { ERRNO, syscallError } from '../../runtime/src/kernel/errno.js';
import type { Kernel, ProgLoad } from '../../runtime/src/kernel/kernel.js';
import {
  feature,
  features,
  globalData,
  perfLink,
  progName,
  supports,
  uprobeMultiLink,
} from '../../runtime/src/loader/features.js';
import { BPF_PROG_TYPE, kernelVersion } from '../../runtime/src/uapi.js';

/** A kernel that takes everything unless told otherwise, and counts what is open. */
function kernel(overrides: Partial<Kernel> = {}, littleEndian = true) {
  const open = new Set<number>();
  const btfs: Uint8Array[] = [];
  const progs: ProgLoad[] = [];
  let next = 3;
  const opened = () => {
    open.add(next);
    return next++;
  };
  const fake: Partial<Kernel> = {
    littleEndian,
    mapCreate: opened,
    progLoad: (prog) => {
      progs.push(prog);
      return opened();
    },
    btfLoad: (bytes) => {
      btfs.push(bytes);
      return opened();
    },
    linkCreate: ({ options }) => {
      const wrong = options?.kind === 'uprobe_multi' && options.pid === -1;
      throw syscallError('bpf(BPF_LINK_CREATE)', wrong ? ERRNO.EINVAL : ERRNO.EBADF);
    },
    close: (fd) => void open.delete(fd),
    ...overrides,
  };
  // The probes use these methods only; any other is a TypeError.
  return { kernel: fake as Kernel, open, btfs, progs };
}

const refuse = (errno: keyof typeof ERRNO) => () => {
  throw syscallError('bpf', ERRNO[errno]);
};

describe('supports', () => {
  test('asks a kernel once, and another one again', () => {
    let asked = 0;
    const counted = feature('counting', '1.0', () => ++asked > 0);
    const [one, two] = [kernel().kernel, kernel().kernel];
    expect([supports(counted, one), supports(counted, one), asked]).toEqual([true, true, 1]);
    expect([supports(counted, two), asked]).toEqual([true, 2]);
  });

  test.each([
    ['one that is too old for it', '5.2', kernelVersion(5, 1, 255), 1],
    ['the first that has it in no way', '5.2', kernelVersion(5, 2), 0],
    ['a later one neither', '5.2', kernelVersion(6, 1), 0],
    ['every one when no version tells', undefined, kernelVersion(6, 1), 1],
  ])('asks %s', (_, since, version, times) => {
    let asked = 0;
    const counted = feature('counting', since, () => ++asked > 0);
    expect([supports(counted, kernel({ version }).kernel), asked]).toEqual([true, times]);
  });
});

describe.each(features.map((one) => [one.name, one] as const))('the probe of %s', (_, { probe, since }) => {
  test('finds it on a kernel that takes everything, and leaves nothing open', () => {
    const { kernel: k, open } = kernel();
    expect([probe(k), open.size]).toEqual([true, 0]);
  });

  test('finds nothing on a kernel that refuses everything', () => {
    const no = refuse('EINVAL');
    const { kernel: k, open } = kernel({ mapCreate: no, progLoad: no, btfLoad: no, linkCreate: no });
    expect([probe(k), open.size]).toEqual([false, 0]);
  });

  test('does not take a mistake for an answer', () => {
    const mistake = () => {
      throw new TypeError('mistake');
    };
    const { kernel: k } = kernel({ mapCreate: mistake, progLoad: mistake, btfLoad: mistake });
    expect(() => probe(k)).toThrow('mistake');
  });

  test('says since which kernel', () => {
    expect(since).toMatch(/^\d+\.\d+$/);
  });
});

describe.each([true, false])('what the probes load (little-endian: %s)', (little) => {
  const { kernel: k, btfs, progs } = kernel({}, little);
  for (const { probe } of features) probe(k);

  test('is well-formed BTF', () => {
    for (const bytes of btfs) {
      const btf = Btf.parse(bytes);
      for (let id = 1; id < btf.endId; id++) expect(btf.type(id).id).toBe(id);
    }
    expect(btfs.length).toBe(10);
  });

  test('is instructions of this machine', () => {
    for (const { insns } of progs) {
      const program = new Insns(insns, little);
      expect(program.code(program.count - 1)).toBe(0x95);
    }
  });
});

test('the probe of global variables stores into the map that it made', () => {
  const { kernel: k, progs } = kernel();
  globalData.probe(k);
  const [program] = progs;
  if (program === undefined) throw new Error('no program');
  const insns = new Insns(program.insns, true);
  expect([insns.code(0), insns.src(0), insns.imm(0), insns.imm(1)]).toEqual([LD_IMM64, 2, 3, 16]);
});

test.each([
  ['EBADF', true],
  ['EINVAL', false],
] as const)('perf links: a missing event refused with %s says %s', (errno, answer) => {
  expect(perfLink.probe(kernel({ linkCreate: refuse(errno) }).kernel)).toBe(answer);
});

test.each([
  ['finds what a process is before it looks at the file', ERRNO.EBADF, ERRNO.EINVAL, true],
  ['takes a process for a thread, as kernels before 6.10', ERRNO.EBADF, ERRNO.EBADF, false],
  ['does not know such links', ERRNO.EINVAL, ERRNO.EINVAL, false],
] as const)('uprobe links: a kernel that %s', (_, everyone, nobody, answer) => {
  const linkCreate: Kernel['linkCreate'] = ({ options }) => {
    const pid = options?.kind === 'uprobe_multi' ? options.pid : undefined;
    throw syscallError('bpf(BPF_LINK_CREATE)', pid === undefined ? everyone : nobody);
  };
  const { kernel: k, progs, open } = kernel({ linkCreate });
  expect([uprobeMultiLink.probe(k), open.size]).toEqual([answer, 0]);
  expect(progs[0]).toMatchObject({ type: BPF_PROG_TYPE.KPROBE, expectedAttachType: 48 });
});

test('uprobe links: the first kernels that have them are asked whether they have the fix', () => {
  const version = kernelVersion(6, 6);
  const { kernel: k } = kernel({ version, linkCreate: refuse('EBADF') });
  expect(supports(uprobeMultiLink, k)).toBe(false);
});

test('names of programs are probed with one', () => {
  const { kernel: k, progs } = kernel();
  progName.probe(k);
  expect(progs[0]?.name).toBe('bpfskel_probe');
});
