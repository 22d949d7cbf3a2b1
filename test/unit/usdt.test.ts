import { describe, expect, it } from 'vitest';
import { BpfError, NotSupportedError } from '../../runtime/src/errors.js';
import { ERRNO, syscallError } from '../../runtime/src/kernel/errno.js';
import type { Kernel } from '../../runtime/src/kernel/kernel.js';
import {
  encodeUsdtSpec,
  parseUsdtArguments,
  USDT_SPEC_SIZE,
  type UsdtArgument,
} from '../../runtime/src/link/usdt-arguments.js';
import { UsdtSpecs } from '../../runtime/src/link/usdt-specs.js';
import { type UsdtOptions, UsdtProgram } from '../../runtime/src/program/index.js';
import { type FakeBinarySpec, fakeBinary, fakeLayout } from '../../runtime/src/testing/index.js';
import { BPF_ATTACH_TYPE, kernelVersion } from '../../runtime/src/uapi.js';
import { type BinaryHost, binaryHost } from './binary-host.js';
import { handleFor } from './fake-host.js';

/** Offsets in struct pt_regs of x86-64 (arch/x86/include/asm/ptrace.h). */
const rax = 80;
const rbp = 32;
const rsp = 152;
const rdx = 96;
const nothing = { register: 0, index: 0, scaleShift: 0, value: 0n };

const argument = (more: Partial<UsdtArgument>): UsdtArgument => ({
  kind: 'register',
  size: 8,
  signed: false,
  ...nothing,
  ...more,
});

describe('arguments of a USDT probe', () => {
  const cases: [arch: string, text: string, argument: UsdtArgument][] = [
    ['x64', '-4@%eax', argument({ size: 4, signed: true, register: rax })],
    ['x64', '8@%rdx', argument({ register: rdx })],
    ['x64', '-1@%sil', argument({ size: 1, signed: true, register: 104 })],
    ['x64', '2@%r15w', argument({ size: 2, register: 0 })],
    ['x64', '8@%rip', argument({ register: 128 })],
    ['x64', '-4@$-9', argument({ kind: 'constant', size: 4, signed: true, value: -9n })],
    ['x64', '8@$18446744073709551615', argument({ kind: 'constant', value: 2n ** 64n - 1n })],
    ['x64', '-8@-1216(%rbp)', argument({ kind: 'memory', signed: true, register: rbp, value: -1216n })],
    ['x64', ' 8 @ 16 ( %rsp ) ', argument({ kind: 'memory', register: rsp, value: 16n })],
    ['x64', '8@(%rsp)', argument({ kind: 'memory', register: rsp })],
    [
      'x64',
      '-1@-96(%rbp,%rax,8)',
      argument({
        kind: 'element',
        size: 1,
        signed: true,
        register: rbp,
        index: rax,
        scaleShift: 3,
        value: -96n,
      }),
    ],
    [
      'x64',
      '4@(%rbp,%rax,2)',
      argument({ kind: 'element', size: 4, register: rbp, index: rax, scaleShift: 1 }),
    ],
    ['x64', '4@8(%rbp, %rax)', argument({ kind: 'element', size: 4, register: rbp, index: rax, value: 8n })],
    ['arm64', '-4@[sp, 96]', argument({ kind: 'memory', size: 4, signed: true, register: 248, value: 96n })],
    ['arm64', '8@[x0]', argument({ kind: 'memory', register: 0 })],
    ['arm64', '8@[x29,-16]', argument({ kind: 'memory', register: 232, value: -16n })],
    ['arm64', '-8@x4', argument({ signed: true, register: 32 })],
    ['arm64', '4@w30', argument({ size: 4, register: 240 })],
    ['arm64', '8@sp', argument({ register: 248 })],
    ['arm64', '4@5', argument({ kind: 'constant', size: 4, value: 5n })],
    ['riscv64', '-8@-88(s0)', argument({ kind: 'memory', signed: true, register: 64, value: -88n })],
    ['riscv64', '8@a1', argument({ register: 88 })],
    ['riscv64', '8@t6', argument({ register: 248 })],
    ['riscv64', '4@-5', argument({ kind: 'constant', size: 4, value: -5n })],
  ];
  it.each(cases)('on %s read %s', (arch, text, expected) => {
    expect(parseUsdtArguments(text, arch)).toEqual([expected]);
  });

  it('are as many as there are', () => {
    expect(parseUsdtArguments('', 'x64')).toEqual([]);
    expect(parseUsdtArguments('  ', 'x64')).toEqual([]);
    const twelve = Array.from({ length: 12 }, (_, index) => `4@$${index}`).join(' ');
    expect(parseUsdtArguments(twelve, 'x64').map(({ value }) => Number(value))).toEqual([
      0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11,
    ]);
    expect(() => parseUsdtArguments(`${twelve} 4@$12`, 'x64')).toThrow('more than 12 arguments');
  });

  const refused: [arch: string, text: string, named: string][] = [
    ['x64', '4@$1 8@foo(%rip) 4@$2', 'argument 2, "8@foo(%rip)'],
    ['x64', '8f@%xmm0', 'argument 1, "8f@%xmm0"'],
    ['x64', '8@%xmm0', 'argument 1, "8@%xmm0"'],
    ['x64', '8@%orig_rax', 'argument 1, "8@%orig_rax"'],
    ['x64', '16@%rax', 'argument 1, "16@%rax"'],
    ['x64', '0@%rax', 'argument 1, "0@%rax"'],
    ['x64', '4@(%rbp,%rax,3)', 'argument 1, "4@(%rbp,%rax,3)"'],
    ['x64', '4@(%rbp,%zzz,4)', 'argument 1'],
    ['x64', '4@%eax,', 'argument 1'],
    ['x64', '%eax', 'argument 1'],
    ['x64', '4@', 'argument 1'],
    ['x64', '4@\u001b[2J', '"4@\\u{1b}[2J"'],
    ['arm64', '4@x31', 'argument 1, "4@x31"'],
    ['arm64', '4@[x1, x2]', 'argument 1'],
  ];
  it.each(refused)('on %s refuse %s, naming it', (arch, text, named) => {
    expect(() => parseUsdtArguments(text, arch)).toThrow(BpfError);
    expect(() => parseUsdtArguments(text, arch)).toThrow(named);
  });

  it('cannot be read on machines whose registers are not known', () => {
    expect(() => parseUsdtArguments('4@$1', 's390x')).toThrow('cannot be read on s390x');
  });

  it('become the bytes of struct __bpf_usdt_spec', () => {
    const args = parseUsdtArguments('-4@-96(%rbp,%rax,8) 8@$-2 1@%dl', 'x64');
    const bytes = encodeUsdtSpec(args, 0x1122334455667788n, true);
    expect(bytes.length).toBe(USDT_SPEC_SIZE);
    const hex = (from: number, to: number) => Buffer.from(bytes.subarray(from, to)).toString('hex');
    // val_off, arg_type: 8 idx_reg_off: 12 scale_bitshift: 4 reserved: 8, reg_off, arg_signed, arg_bitshift
    expect(hex(0, 16)).toBe('a0ffffffffffffff' + '03503000' + '2000' + '01' + '20');
    expect(hex(16, 32)).toBe('feffffffffffffff' + '00000000' + '0000' + '00' + '00');
    expect(hex(32, 48)).toBe('0000000000000000' + '01000000' + '6000' + '00' + '38');
    expect(hex(48, 192)).toBe('00'.repeat(144));
    expect(hex(192, 208)).toBe('8877665544332211' + '0300' + '000000000000');
  });

  it('have their bit fields at the other end on big-endian machines', () => {
    const bytes = encodeUsdtSpec(parseUsdtArguments('4@(%rbp,%rax,8)', 'x64'), 1n, false);
    expect(Buffer.from(bytes.subarray(8, 16)).toString('hex')).toBe('00050303' + '0020' + '00' + '20');
  });
});

const app = '/usr/bin/app';
const { TRACE_UPROBE_MULTI } = BPF_ATTACH_TYPE;
const code = fakeLayout.code.offset;

const spec: FakeBinarySpec = {
  usdt: [
    { provider: 'app', name: 'start', args: '-4@%eax' },
    { provider: 'app', name: 'stop', args: '4@$1' },
    { provider: 'app', name: 'start', args: '-4@%ebx', semaphore: 6 },
    { provider: 'app', name: 'start', args: '-4@%eax' },
    { provider: 'app', name: 'moved', moved: 0x400, semaphore: 8 },
    { provider: 'app', name: 'odd', args: '8@foo(%rip)' },
    { provider: 'app', name: 'colon', args: ':' },
    { provider: 'app', name: 'nowhere', offset: 0x5000 },
    { provider: 'app', name: 'data', offset: 0x3008 },
    { provider: 'app', name: 'counted', semaphore: -0x3000 },
  ],
};

/** The maps of an object with 4 slots, as the test sees them. */
function mapsOf(on: BinaryHost, cookies = true) {
  const specs = new Map<number, Uint8Array>();
  const ips = new Map<bigint, number>();
  const number = (bytes: Uint8Array) => new DataView(bytes.buffer).getUint32(0, true);
  const address = (bytes: Uint8Array) => new DataView(bytes.buffer).getBigUint64(0, true);
  const calls: Pick<Kernel, 'mapUpdate' | 'mapDelete'> = {
    mapUpdate(fd, key, value, flags = 0n) {
      if (key === null) throw new Error('no key');
      if (fd === 100) specs.set(number(key), value);
      else if (flags === 1n && ips.has(address(key))) throw syscallError('bpf', ERRNO.EEXIST);
      else ips.set(address(key), number(value));
    },
    mapDelete: (_fd, key) => ips.delete(address(key)),
  };
  Object.assign(on.overrides, calls);
  const map = (fd: number, valueSize: number) => ({ fd: () => fd, maxEntries: 4, valueSize });
  return { specs, ips, shared: new UsdtSpecs(on.kernel, map(100, USDT_SPEC_SIZE), map(101, 4), cookies) };
}

function host(): BinaryHost {
  const on = binaryHost();
  on.binary(app, fakeBinary(spec));
  on.binary('/usr/bin/fixed', fakeBinary({ ...spec, fixed: true }));
  return on;
}

function program(
  on: BinaryHost,
  cookies = true,
  section = 'usdt/app:app:start',
  expectedAttachType: number = TRACE_UPROBE_MULTI,
) {
  const maps = mapsOf(on, cookies);
  const handle = handleFor(on, { name: 'trace', section, expectedAttachType });
  return { ...maps, program: new UsdtProgram({ ...handle, usdt: () => maps.shared }) };
}

/** As a kernel before 6.6. */
const separate = (on: BinaryHost, cookies = true, section?: string) => program(on, cookies, section, 0);
const events = (on: BinaryHost) => on.calls.filter((call) => call.startsWith('perfEventOpen'));

describe('attaching to a USDT probe', () => {
  it('makes one link of all its places, whose cookies are the numbers of their specs', () => {
    const on = host();
    const { program: start, specs } = program(on);
    const link = start.attach({ cookie: 5n });
    expect(link.target).toBe('usdt /usr/bin/app:app:start');
    expect(on.calls).toEqual([
      `linkCreate({"prog":9,"attachType":48,"options":{"kind":"uprobe_multi","path":"${app}",` +
        `"offsets":["${code + 16}n","${code + 48}n","${code + 64}n"],"cookies":["0n","1n","0n"],` +
        `"refCtrOffsets":["0n","${fakeLayout.data.offset + 6}n","0n"],"flags":0}})`,
    ]);
    // Places with the same arguments share a spec.
    expect(specs.size).toBe(2);
    expect(specs.get(1)).toEqual(encodeUsdtSpec(parseUsdtArguments('-4@%ebx', 'x64'), 5n, true));
    link.detach();
    expect(on.open.size).toBe(0);
  });

  it('makes a link for each place where the kernel has no such links', () => {
    const on = host();
    const link = separate(on).program.attach({ pid: 0 });
    expect(events(on)).toHaveLength(3);
    expect(events(on)[1]).toContain(`"config":"${BigInt(fakeLayout.data.offset + 6) << 32n}n"`);
    expect(events(on)[1]).toContain('"pid":4242,"cpu":-1');
    const cookies = on.calls.flatMap((call) => /"cookie":"(\d+)n"/.exec(call)?.[1] ?? []);
    expect(cookies).toEqual(['0', '1', '0']);
    link.detach();
    expect(on.open.size).toBe(0);
  });

  it('corrects addresses of a file that was moved after linking, those of semaphores too', () => {
    const on = host();
    program(on).program.attach({ name: 'moved' });
    expect(on.calls[0]).toContain(`"offsets":["${code + 80}n"]`);
    expect(on.calls[0]).toContain(`"refCtrOffsets":["${fakeLayout.data.offset + 8}n"]`);
  });

  it('takes a colon for no arguments', () => {
    const on = host();
    const { program: colon, specs } = program(on);
    colon.attach({ name: 'colon' });
    expect(specs.get(0)).toEqual(encodeUsdtSpec([], 0n, true));
  });

  it('goes past the first of two nops since Linux 6.18, which is faster', () => {
    const on = host();
    const bytes = fakeBinary(spec);
    bytes.set([0x90, 0x0f, 0x1f, 0x44, 0, 0], code + 32);
    on.binary(app, bytes);
    program(on).program.attach({ name: 'stop' });
    Object.assign(on.overrides, { version: kernelVersion(6, 18) });
    program(on).program.attach({ name: 'stop' });
    expect(on.calls[0]).toContain(`"offsets":["${code + 32}n"]`);
    expect(on.calls[1]).toContain(`"offsets":["${code + 33}n"]`);
  });

  it('uses numbers again that no place has any more', () => {
    const on = host();
    const { program: start } = program(on);
    const first = start.attach();
    const second = start.attach();
    expect(() => start.attach()).toThrow(
      /__bpf_usdt_specs has room for 4 different places.*BPF_USDT_MAX_SPEC_CNT/,
    );
    first.detach();
    start.attach();
    second.detach();
    start.attach();
    expect(on.open.size).toBe(2);
  });

  it('gives numbers back when the kernel refuses', () => {
    const on = host();
    const { program: start } = program(on);
    on.refuseLink = () => {
      throw syscallError('bpf', ERRNO.EPERM);
    };
    for (let round = 0; round < 5; round++) expect(() => start.attach()).toThrow('EPERM');
    on.refuseLink = () => undefined;
    start.attach();
    expect(on.calls.at(-1)).toContain('"cookies":["1n","0n","1n"]');
  });

  it('without cookies keeps addresses: of a fixed program those of the file', () => {
    const on = host();
    const { program: start, ips } = separate(on, false, 'usdt/fixed:app:start');
    const link = start.attach();
    const { address } = fakeLayout.code;
    expect([...ips]).toEqual([
      [BigInt(address + 16), 0],
      [BigInt(address + 48), 1],
      [BigInt(address + 64), 0],
    ]);
    expect(on.calls.join()).toContain('"cookie":"0n"');
    expect(() => start.attach()).toThrow(/attached there already, and this kernel has no cookies/);
    expect(ips.size).toBe(3);
    link.detach();
    expect(ips.size).toBe(0);
  });

  const maps = (path: string, inode = 1) =>
    [
      `55550000-55551000 r--p 00000000 08:01 ${inode} ${path}`,
      `55551000-55553000 r-xp 00001000 08:01 ${inode} ${path}`,
      '7fff0000-7fff1000 r-xp 00000000 00:00 0 [vdso]',
    ].join('\n');

  it.each([
    ['its path', maps(app)],
    ['its inode', maps('/other/place/app')],
  ])('without cookies finds a program that can be anywhere in one process, by %s', (_how, text) => {
    const on = host();
    on.file('/proc/7/maps', `${text}\n`);
    on.binary(`/proc/7/root${app}`, fakeBinary(spec));
    const { program: stop, ips } = separate(on, false);
    stop.attach({ name: 'stop', pid: 7 });
    expect([...ips.keys()]).toEqual([0x55551020n]);
  });

  it('without cookies cannot be of every process, nor of one that has not mapped it', () => {
    const on = host();
    on.file('/proc/7/maps', maps('/usr/bin/other', 2));
    const { program: start } = separate(on, false);
    expect(() => start.attach()).toThrow(NotSupportedError);
    expect(() => start.attach()).toThrow(
      /app can be anywhere in memory.*Give a pid; without one it takes Linux 5\.15/,
    );
    expect(() => start.attach({ pid: 7 })).toThrow('process 7 has not mapped the code of /usr/bin/app');
  });

  const refusals: [options: UsdtOptions, text: string][] = [
    [{ name: 'strat' }, '/usr/bin/app has no USDT probe app:strat. It has app:start'],
    [{ provider: 'zzz', name: 'zzz' }, 'It has app:start, app:stop, app:moved'],
    [{ name: '' }, 'a USDT probe has a provider and a name'],
    [{ name: 'odd' }, 'its argument 1, "8@foo(%rip)", cannot be read by BPF programs'],
    [{ name: 'nowhere' }, 'it is said to be at 0x8000, where /usr/bin/app has no code'],
    [{ name: 'data' }, 'it is said to be at 0x6008, where /usr/bin/app has no code'],
    [{ name: 'counted' }, 'its semaphore is said to be at 0x3000, where /usr/bin/app has no data'],
    [{ binary: 'none' }, 'there is no none in'],
    [{ binary: 'x.apk!/a.so' }, 'x.apk!/a.so is a file in an archive, where only uprobe and'],
    [{ binary: '/usr/bin/plain' }, '/usr/bin/plain has no USDT probes (no section .note.stapsdt)'],
    [{ binary: '/usr/bin/narrow' }, '/usr/bin/narrow is a 32-bit binary'],
    [{ binary: '/usr/bin/big' }, '/usr/bin/big is of the other byte order'],
    [{ pid: -5 }, 'pid -5 is no whole number'],
  ];
  it.each(refusals)('explains %o', (options, text) => {
    const on = host();
    on.binary('/usr/bin/plain', fakeBinary({ exports: ['main'] }));
    on.binary('/usr/bin/narrow', fakeBinary({ bits: 32 }));
    on.binary('/usr/bin/big', fakeBinary({ bigEndian: true }));
    const { program: start } = program(on);
    expect(() => start.attach(options)).toThrow(BpfError);
    expect(() => start.attach(options)).toThrow(text);
    expect(on.open.size).toBe(0);
  });

  it('says that the kernel cannot serve a semaphore', () => {
    const on = host();
    on.remove('/sys/bus/event_source/devices/uprobe/format/ref_ctr_offset');
    expect(() => program(on).program.attach()).toThrow(/has a semaphore, which kernels serve since 4\.20/);
  });

  it('says that the object has no maps, or other ones', () => {
    const on = host();
    const handle = handleFor(on, { section: 'usdt/app:app:stop', expectedAttachType: TRACE_UPROBE_MULTI });
    expect(() => new UsdtProgram(handle).attach()).toThrow(
      /has no map __bpf_usdt_specs\. Let its source include/,
    );
    const map = { fd: () => 1, maxEntries: 1, valueSize: 16 };
    const usdt = () => new UsdtSpecs(on.kernel, map, map, true);
    expect(() => new UsdtProgram({ ...handle, usdt }).attach()).toThrow(/values of 16 bytes, not 208/);
  });

  it.each(['usdt/app', 'usdt/app:provider', 'usdt/:a:b'])('asks for what SEC("%s") lacks', (section) => {
    expect(() => program(host(), true, section).program.attach()).toThrow(
      /SEC\(\) must name a binary, a provider and a probe/,
    );
  });

  it('takes everything from the call', () => {
    const on = host();
    const { program: any } = program(on, true, 'usdt');
    expect(any.attach({ binary: 'app', provider: 'app', name: 'stop' }).target).toBe(
      'usdt /usr/bin/app:app:stop',
    );
    expect(() => any.attach()).toThrow('a USDT probe has a provider and a name');
  });
});
