import { describe, expect, it } from 'vitest';
import { type ResolvedExtern, resolveExterns } from '../../runtime/src/loader/externs.js';
import { parseKconfig } from '../../runtime/src/loader/kconfig.js';
import { KernelTypes } from '../../runtime/src/loader/kernel-types.js';
import type { ExternSpec, ObjectSpec } from '../../runtime/src/object/spec.js';
import { type FakeKernel, fakeKernel } from '../../runtime/src/testing/index.js';
import { kernelVersion } from '../../runtime/src/uapi.js';
import { BtfBuilder } from './btf-builder.js';

type Declared = Pick<ExternSpec, 'name' | 'kind'> & Partial<ExternSpec>;

/** An object of nothing but externs; `types` writes its BTF and says what they are. */
function objectOf(types: (b: BtfBuilder) => readonly Declared[]): ObjectSpec {
  const b = new BtfBuilder();
  const externs = types(b).map(
    (declared): ExternSpec => ({
      weak: false,
      btfId: 0,
      typeId: 0,
      size: 4,
      align: 4,
      dataOffset: 0,
      ...declared,
    }),
  );
  const none = { license: 'GPL', kernelVersion: 0, maps: [], programs: [], functions: [], warnings: [] };
  return { byteOrder: 'little', btf: b.btf(), externs, ...none };
}

interface Resolution {
  readonly externs: readonly ResolvedExtern[];
  readonly kconfig: Uint8Array;
  readonly fdArray: readonly number[] | undefined;
}

function resolve(
  spec: ObjectSpec,
  kernel: FakeKernel,
  user = '',
  warn?: (sentence: string) => void,
): Resolution {
  const types = new KernelTypes(kernel, undefined, warn);
  const kconfig = new Uint8Array(32);
  try {
    const externs = resolveExterns(spec, kernel, types, { kconfig, user });
    const fds = types.fdArray();
    return { externs, kconfig, fdArray: fds && [...fds] };
  } finally {
    types.close();
    expect(kernel.openFds).toEqual([]);
  }
}

const CONFIG = '/boot/config-6.12.0-fake';

describe('a __kconfig value', () => {
  type Type =
    | 'bool'
    | 'char'
    | 'unsigned char'
    | 'short'
    | 'int'
    | 'u32'
    | 'u64'
    | 's64'
    | 'tristate'
    | 'char[8]'
    | 'struct'
    | 'bool of 4'
    | 'int[2]'
    | 'typedef'
    | 'tristate of 8';
  const declare = (type: Type, name = 'CONFIG_X', weak = false) =>
    objectOf((b) => {
      const extern = (typeId: number, size: number): Declared[] => [
        { name, kind: 'kconfig', weak, typeId, size, dataOffset: 8 },
      ];
      const char = () => b.int('char', 1);
      switch (type) {
        case 'bool':
          return extern(b.int('_Bool', 1, 'bool'), 1);
        case 'bool of 4':
          return extern(b.int('_Bool', 4, 'bool'), 4);
        case 'char':
          return extern(char(), 1);
        case 'unsigned char':
          return extern(b.int('unsigned char', 1, 'unsigned'), 1);
        case 'short':
          return extern(b.int('short', 2), 2);
        case 'int':
          return extern(b.int('int', 4), 4);
        case 'u32':
          return extern(b.int('unsigned int', 4, 'unsigned'), 4);
        case 'typedef':
          return extern(b.const(b.typedef('u32', b.int('unsigned int', 4, 'unsigned'))), 4);
        case 's64':
          return extern(b.int('long long', 8), 8);
        case 'u64':
          return extern(b.int('unsigned long long', 8, 'unsigned'), 8);
        case 'tristate':
          return extern(
            b.enum('libbpf_tristate', [
              ['TRI_NO', 0],
              ['TRI_YES', 1],
              ['TRI_MODULE', 2],
            ]),
            4,
          );
        case 'tristate of 8':
          return extern(
            b.enum64('libbpf_tristate', [
              ['TRI_NO', 0n],
              ['TRI_YES', 1n],
            ]),
            8,
          );
        case 'char[8]':
          return extern(b.array(char(), 8), 8);
        case 'int[2]':
          return extern(b.array(b.int('int', 4), 2), 8);
        case 'struct':
          return extern(b.struct('s', 4, []), 4);
      }
      return type satisfies never;
    });
  const bytesOf = (type: Type, value: string): number[] => {
    const kernel = fakeKernel();
    kernel.setFile(CONFIG, `# comment\nCONFIG_XY=9\nCONFIG_X=${value}\n`);
    const { kconfig } = resolve(declare(type), kernel);
    return [...kconfig.subarray(8, 16)];
  };

  it.each([
    ['bool', 'y', [1]],
    ['bool', 'n', [0]],
    ['tristate', 'y', [1]],
    ['tristate', 'm', [2]],
    ['tristate', 'n', [0]],
    ['tristate of 8', 'm', [2]],
    ['char', 'y', [0x79]],
    ['char', 'm', [0x6d]],
    ['char', '-5', [0xfb]],
    ['unsigned char', '255', [0xff]],
    ['short', '-2', [0xfe, 0xff]],
    ['int', '250', [250]],
    ['int', '0x10', [16]],
    ['int', '010', [8]],
    ['int', '0', [0]],
    ['int', '-2147483648', [0, 0, 0, 0x80]],
    ['u32', '0xffffffff', [255, 255, 255, 255]],
    ['typedef', '7', [7]],
    ['u64', '0xffffffffffffffff', [255, 255, 255, 255, 255, 255, 255, 255]],
    ['s64', '-1', [255, 255, 255, 255, 255, 255, 255, 255]],
    ['char[8]', '"gcc"', [0x67, 0x63, 0x63]],
    ['char[8]', '""', []],
    ['char[8]', '"123456789"', [0x31, 0x32, 0x33, 0x34, 0x35, 0x36, 0x37, 0]],
  ] as [Type, string, number[]][])('declared %s takes %s', (type, value, bytes) => {
    expect(bytesOf(type, value)).toEqual([...bytes, ...new Array(8 - bytes.length).fill(0)]);
  });

  it.each([
    ['bool', 'm', 'EINVAL', 'fits a tristate or char'],
    ['bool', '1', 'EINVAL', 'fits an integer or char'],
    ['tristate', '2', 'EINVAL', 'fits an integer or char'],
    ['int', 'y', 'EINVAL', 'fits a bool, tristate or char'],
    ['bool of 4', 'y', 'EINVAL', 'fits a bool, tristate or char'],
    ['char[8]', 'y', 'EINVAL', 'fits a bool, tristate or char'],
    ['int', '"text"', 'EINVAL', 'fits an array of char'],
    ['int[2]', '"text"', 'EINVAL', 'fits an array of char'],
    ['struct', '5', 'EINVAL', 'fits an integer or char'],
    ['char[8]', '"open', 'EINVAL', 'lacks its closing quote'],
    ['char[8]', '"', 'EINVAL', 'lacks its closing quote'],
    ['int', '12ab', 'EINVAL', 'is no integer'],
    ['int', '5 ', 'EINVAL', 'is no integer'],
    ['char', '128', 'ERANGE', '128 does not fit its 1 bytes'],
    ['unsigned char', '256', 'ERANGE', 'does not fit its 1 bytes'],
    ['unsigned char', '-1', 'ERANGE', 'does not fit its 1 bytes'],
    ['short', '-32769', 'ERANGE', 'does not fit its 2 bytes'],
    ['u32', '0x100000000', 'ERANGE', 'does not fit its 4 bytes'],
  ] as [Type, string, string, string][])(
    'declared %s does not take %s: %s',
    (type, value, code, sentence) => {
      expect(() => bytesOf(type, value)).toThrow(
        expect.objectContaining({ code, message: expect.stringContaining(sentence) }),
      );
      expect(() => bytesOf(type, value)).toThrow(/^set extern "CONFIG_X": /);
    },
  );

  it('that the kernel does not set is an error, unless it is weak', () => {
    const kernel = fakeKernel();
    kernel.setFile(CONFIG, 'CONFIG_Y=y\n');
    expect(() => resolve(declare('bool'), kernel)).toThrow(
      'resolve extern "CONFIG_X": the configuration of kernel 6.12.0-fake does not set it; declare it __weak, or give load() its value as kconfig',
    );
    expect(resolve(declare('bool', 'CONFIG_X', true), kernel).kconfig[8]).toBe(0);
  });

  it.each([
    ['LINUX_KERNEL_VERSION', 'u32', kernelVersion(6, 12, 0)],
    ['LINUX_HAS_BPF_COOKIE', 'bool', 1],
    ['LINUX_HAS_SYSCALL_WRAPPER', 'bool', 0],
  ] as [string, Type, number][])('%s comes of the kernel itself', (name, type, value) => {
    const { kconfig } = resolve(declare(type, name), fakeKernel());
    expect(new DataView(kconfig.buffer).getUint32(8, true)).toBe(value);
  });

  it('LINUX_HAS_SYSCALL_WRAPPER sees wrappers in the symbols', () => {
    const kernel = fakeKernel();
    kernel.setFile('/proc/kallsyms', 'ffffffff81000000 T __x64_sys_bpf\n');
    expect(resolve(declare('bool', 'LINUX_HAS_SYSCALL_WRAPPER'), kernel).kconfig[8]).toBe(1);
  });

  it('LINUX_* that nobody knows is an error, unless it is weak', () => {
    expect(() => resolve(declare('bool', 'LINUX_HAS_WINGS'), fakeKernel())).toThrow(
      'resolve extern "LINUX_HAS_WINGS": it is neither CONFIG_* nor one of LINUX_KERNEL_VERSION',
    );
    expect(resolve(declare('bool', 'LINUX_HAS_WINGS', true), fakeKernel()).kconfig[8]).toBe(0);
  });

  it('is read once for all of them, and only when one is not given by the user', () => {
    const two = objectOf((b) => {
      const typeId = b.int('int', 4);
      return ['CONFIG_A', 'CONFIG_B'].map(
        (name, i) => ({ name, kind: 'kconfig', typeId, dataOffset: i * 4 }) as const,
      );
    });
    const kernel = fakeKernel();
    kernel.setFile(CONFIG, 'CONFIG_A=1\nCONFIG_B=2\n');
    resolve(two, kernel);
    expect(kernel.calls.filter((call) => call === 'buildConfig')).toHaveLength(1);
    expect([...resolve(two, kernel, 'CONFIG_A=7\nCONFIG_B=8\n').kconfig.subarray(0, 5)]).toEqual([
      7, 0, 0, 0, 8,
    ]);
    expect(kernel.calls.filter((call) => call === 'buildConfig')).toHaveLength(1);
  });

  it('of a text with two settings of a name is the first', () => {
    expect([...parseKconfig('CONFIG_A=1\nCONFIG_A=2\n# CONFIG_B is not set\nCONFIG_C=\nX=1\n')]).toEqual([
      ['CONFIG_A', '1'],
    ]);
  });
});

describe('an untyped __ksym', () => {
  const symbols = (weak = false) => objectOf(() => [{ name: 'jiffies', kind: 'ksym', weak }]);
  const withSymbols = (text: string) => {
    const kernel = fakeKernel();
    kernel.setFile('/proc/kallsyms', text);
    return kernel;
  };

  it.each([
    ['has the address of its symbol', 'ffffffff81000010 D jiffies\n', 0xffffffff81000010n],
    ['may be in a module', 'ffffffffc0000010 d jiffies\t[mod]\n', 0xffffffffc0000010n],
    [
      'ignores longer names',
      'ffffffff81000020 D jiffies_64\nffffffff81000010 D jiffies\n',
      0xffffffff81000010n,
    ],
    [
      'may be twice at one address',
      'ffffffff81000010 D jiffies\nffffffff81000010 d jiffies\n',
      0xffffffff81000010n,
    ],
    ['ignores what Clang adds', 'ffffffff81000010 d jiffies.llvm.123\n', 0xffffffff81000010n],
  ])('%s', (_name, text, address) => {
    expect(resolve(symbols(), withSymbols(text)).externs).toEqual([{ kind: 'address', address }]);
  });

  it('that has two addresses is ambiguous', () => {
    expect(() =>
      resolve(symbols(), withSymbols('ffffffff81000010 D jiffies\nffffffff81000020 d jiffies\n')),
    ).toThrow('resolve extern "jiffies": this kernel has several symbols of that name');
  });

  it('that is absent is an error, and 0 when it is weak', () => {
    expect(() => resolve(symbols(), withSymbols('0 T x\n'))).toThrow(
      expect.objectContaining({
        code: 'ESRCH',
        message: expect.stringContaining('no such symbol in /proc/kallsyms'),
      }),
    );
    expect(resolve(symbols(true), withSymbols('0 T x\n')).externs).toEqual([
      { kind: 'address', address: 0n },
    ]);
  });
});

describe('a typed extern', () => {
  /** vmlinux with an int, a function and a variable; module `mod` with others. */
  const kernelWithTypes = () => {
    const vmlinux = new BtfBuilder();
    const int = vmlinux.int('int', 4);
    vmlinux.variable('runqueues', int); // 2
    vmlinux.func('bpf_kfunc', vmlinux.prototype(int, [['x', int]])); // 3, 4
    const base = vmlinux.btf();
    const module = new BtfBuilder({ base });
    module.variable('mod_var', int); // 5
    module.func('mod_kfunc', module.prototype(0, [['x', int]])); // 6, 7
    const kernel = fakeKernel({ btf: vmlinux.bytes() });
    kernel.setFile('/sys/kernel/btf/mod', module.bytes());
    return kernel;
  };
  const func = (name: string, more: Partial<ExternSpec> = {}, argument = 4) =>
    objectOf((b) => {
      const returns = name.startsWith('mod') ? 0 : b.int('int', 4);
      return [
        { name, kind: 'kfunc', typeId: b.prototype(returns, [['y', b.int('arg', argument)]]), ...more },
      ];
    });
  const variable = (name: string, more: Partial<ExternSpec> = {}, kind: 'int' | 'struct' = 'int') =>
    objectOf((b) => [
      {
        name,
        kind: 'typed_ksym',
        typeId: b.const(kind === 'int' ? b.int('int', 4) : b.struct('s', 4, [])),
        ...more,
      },
    ]);

  it('is found in vmlinux by id', () => {
    const { externs, fdArray } = resolve(func('bpf_kfunc'), kernelWithTypes());
    expect(externs).toEqual([{ kind: 'typed', btfId: 4, module: undefined }]);
    expect(fdArray).toBeUndefined();
    expect(resolve(variable('runqueues'), kernelWithTypes()).externs).toEqual([
      { kind: 'typed', btfId: 2, module: undefined },
    ]);
  });

  it('is found under its name without ___suffix, which tells declarations apart', () => {
    const { externs } = resolve(func('bpf_kfunc___old'), kernelWithTypes());
    expect(externs).toEqual([{ kind: 'typed', btfId: 4, module: undefined }]);
  });

  it('is found in a module, whose descriptor has a place in fd_array', () => {
    const { externs, fdArray } = resolve(func('mod_kfunc'), kernelWithTypes());
    expect(externs).toEqual([{ kind: 'typed', btfId: 7, module: { fd: expect.any(Number), index: 1 } }]);
    expect(fdArray).toEqual([0, expect.any(Number)]);
    expect(resolve(variable('mod_var'), kernelWithTypes()).externs).toMatchObject([
      { kind: 'typed', btfId: 5 },
    ]);
  });

  it.each([
    ['a function', func('gone'), 'no such function'],
    ['a variable', variable('gone'), 'no such variable'],
  ])('that is absent is an error for %s', (_name, spec, sentence) => {
    expect(() => resolve(spec, kernelWithTypes())).toThrow(
      expect.objectContaining({ code: 'ESRCH', message: expect.stringContaining(sentence) }),
    );
  });

  it('that is absent and weak is no function, or the address 0', () => {
    expect(resolve(func('gone', { weak: true }), kernelWithTypes()).externs).toEqual([{ kind: 'absent' }]);
    expect(resolve(variable('gone', { weak: true }), kernelWithTypes()).externs).toEqual([
      { kind: 'address', address: 0n },
    ]);
  });

  it('of another type than the kernel’s is an error', () => {
    const other = objectOf((b) => [{ name: 'bpf_kfunc', kind: 'kfunc', typeId: b.prototype(0, []) }]);
    expect(() => resolve(other, kernelWithTypes())).toThrow(
      'resolve extern "bpf_kfunc": it is declared with another type than the kernel\'s function has',
    );
    expect(() => resolve(variable('runqueues', {}, 'struct'), kernelWithTypes())).toThrow(
      "declared with another type than the kernel's variable has",
    );
  });

  it('of another type is as good as absent for a weak function, and an error for a weak variable', () => {
    const other = objectOf((b) => [
      { name: 'bpf_kfunc', kind: 'kfunc', weak: true, typeId: b.prototype(0, []) },
    ]);
    expect(resolve(other, kernelWithTypes()).externs).toEqual([{ kind: 'absent' }]);
    expect(() => resolve(variable('runqueues', { weak: true }, 'struct'), kernelWithTypes())).toThrow(
      /another type/,
    );
  });

  it('skips a module whose types cannot be read, and warns of it', () => {
    const kernel = kernelWithTypes();
    kernel.setFile('/sys/kernel/btf/broken', new Uint8Array(40));
    const warnings: string[] = [];
    const { externs } = resolve(func('mod_kfunc'), kernel, '', (sentence) => warnings.push(sentence));
    expect(externs).toMatchObject([{ kind: 'typed', btfId: 7 }]);
    expect(warnings).toEqual([expect.stringMatching(/^the types of module broken are left out: /)]);
  });

  it('is not found where modules cannot be listed', () => {
    const kernel = kernelWithTypes();
    kernel.failing('btfObjects', 'EPERM');
    expect(() => resolve(func('mod_kfunc'), kernel)).toThrow(/EPERM/);
  });
});
