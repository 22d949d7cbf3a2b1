import { describe, expect, test } from 'vitest';
import { BpfError, NotSupportedError } from '../../runtime/src/errors.js';
import { ERRNO, syscallError } from '../../runtime/src/kernel/errno.js';
import type { Kernel } from '../../runtime/src/kernel/kernel.js';
import { kernelBtf, moduleBtfs, userBtf } from '../../runtime/src/loader/kernel-btf.js';
import { BtfBuilder } from './btf-builder.js';
import { fakeHost } from './fake-host.js';

const b = new BtfBuilder();
b.struct('task_struct', 8, []);
const raw = b.bytes();

/** A host with these files; an errno's name in place of a file's bytes is a file that cannot be read. */
function host(files: Record<string, Uint8Array | keyof typeof ERRNO>): Kernel & { readonly reads: string[] } {
  const reads: string[] = [];
  const { kernel } = fakeHost({
    readFile: (path: string) => {
      reads.push(path);
      const file = files[path];
      if (typeof file === 'string') throw syscallError(`open(${path})`, ERRNO[file]);
      return file;
    },
    listDirectory: (path: string) =>
      Object.keys(files)
        .filter((file) => file.startsWith(`${path}/`))
        .map((file) => file.slice(path.length + 1)),
  });
  return Object.assign(kernel, { reads });
}

/** A minimal ELF file of any machine with the sections named. */
function elf(
  sections: Record<string, Uint8Array>,
  change: (view: DataView) => void = () => undefined,
): Uint8Array {
  const entries = Object.entries(sections);
  const names = new TextEncoder().encode(`\0${entries.map(([name]) => name).join('\0')}\0.shstrtab\0`);
  const parts = [...entries.map(([, bytes]) => bytes), names];
  const table = 0x40 + parts.reduce((sum, part) => sum + part.length, 0);
  const bytes = new Uint8Array(table + 0x40 * (parts.length + 1));
  const view = new DataView(bytes.buffer);
  bytes.set([0x7f, 0x45, 0x4c, 0x46, 2, 1]);
  view.setBigUint64(0x28, BigInt(table), true);
  view.setUint16(0x3a, 0x40, true);
  view.setUint16(0x3c, parts.length + 1, true);
  view.setUint16(0x3e, parts.length, true);
  let at = 0x40;
  let name = 1;
  parts.forEach((part, i) => {
    bytes.set(part, at);
    const header = table + 0x40 * (i + 1);
    view.setUint32(header, name, true);
    view.setUint32(header + 4, 1, true);
    view.setBigUint64(header + 0x18, BigInt(at), true);
    view.setBigUint64(header + 0x20, BigInt(part.length), true);
    at += part.length;
    name += (entries[i]?.[0].length ?? 0) + 1;
  });
  change(view);
  return bytes;
}

describe('the types of the running kernel', () => {
  test('come from sysfs, and are read once', () => {
    const kernel = host({ '/sys/kernel/btf/vmlinux': raw });
    expect(kernelBtf(kernel).name(1)).toBe('task_struct');
    expect(kernelBtf(kernel)).toBe(kernelBtf(kernel));
    expect(kernel.reads).toEqual(['/sys/kernel/btf/vmlinux']);
  });

  test.each([
    ['raw', raw],
    ['in an ELF file', elf({ '.text': new Uint8Array(4), '.BTF': raw })],
  ])('else from a vmlinux on disk, %s', (_, bytes) => {
    const kernel = host({ '/usr/lib/debug/boot/vmlinux-6.12.0-test': bytes });
    expect(kernelBtf(kernel).name(1)).toBe('task_struct');
  });

  test('else are missed in a sentence that names each place', () => {
    const kernel = host({
      '/boot/vmlinux-6.12.0-test': elf({ '.text': new Uint8Array(4) }),
      '/lib/modules/6.12.0-test/build/vmlinux': 'EACCES',
    });
    let error: unknown;
    try {
      kernelBtf(kernel);
    } catch (caught) {
      error = caught;
    }
    expect(error).toBeInstanceOf(NotSupportedError);
    const { message } = error as NotSupportedError;
    for (const part of [
      '/sys/kernel/btf/vmlinux',
      '/boot/vmlinux-6.12.0-test (/boot/vmlinux-6.12.0-test has no section .BTF)',
      '/lib/modules/6.12.0-test/vmlinux-6.12.0-test',
      '/lib/modules/6.12.0-test/build/vmlinux (open(/lib/modules/6.12.0-test/build/vmlinux): permission denied (EACCES))',
      '/usr/lib/modules/6.12.0-test/kernel/vmlinux',
      '/usr/lib/debug/boot/vmlinux-6.12.0-test',
      '/usr/lib/debug/boot/vmlinux-6.12.0-test.debug',
      '/usr/lib/debug/lib/modules/6.12.0-test/vmlinux',
      'CONFIG_DEBUG_INFO_BTF=y',
      'kernelBtf',
    ]) {
      expect(message).toContain(part);
    }
  });

  test.each([
    ['cannot be read', 'EACCES', 'permission denied (EACCES)'],
    ['are broken', new Uint8Array(40), 'malformed /sys/kernel/btf/vmlinux at byte 0'],
  ] as const)('are not looked for elsewhere when those of sysfs %s', (_, file, why) => {
    const kernel = host({ '/sys/kernel/btf/vmlinux': file, '/boot/vmlinux-6.12.0-test': raw });
    expect(() => kernelBtf(kernel)).toThrow(`read the types of this kernel: `);
    expect(() => kernelBtf(kernel)).toThrow(why);
  });
});

describe('the types of modules', () => {
  const kernel = host({ '/sys/kernel/btf/vmlinux': raw });
  const vmlinux = kernelBtf(kernel);
  const split = new BtfBuilder({ base: vmlinux });
  split.struct('nf_conn', 8, []);

  test('are split on the kernel, and a broken one costs a warning', () => {
    const warnings: string[] = [];
    const withModules = host({
      '/sys/kernel/btf/vmlinux': raw,
      '/sys/kernel/btf/nf_conntrack': split.bytes(),
      '/sys/kernel/btf/broken': new Uint8Array(3),
      '/sys/kernel/btf/locked': 'EPERM',
    });
    const modules = moduleBtfs(withModules, vmlinux, (sentence) => warnings.push(sentence));
    expect(modules.map(({ name, btf }) => [name, btf.firstId, btf.name(2)])).toEqual([
      ['nf_conntrack', 2, 'nf_conn'],
    ]);
    expect(warnings).toEqual([
      expect.stringContaining('the types of module broken are left out: malformed'),
      expect.stringContaining('the types of module locked are left out: open('),
    ]);
  });

  test('are none on a kernel that does not list them', () => {
    expect(moduleBtfs(host({}), vmlinux, () => undefined)).toEqual([]);
  });
});

describe('types that a user gives', () => {
  test.each([
    ['the bytes of raw BTF', raw],
    ['the bytes of an ELF file', elf({ '.BTF': raw })],
    ['a path', '/tmp/vmlinux.btf'],
  ])('may be %s', (_, source) => {
    expect(userBtf(source, host({ '/tmp/vmlinux.btf': raw })).name(1)).toBe('task_struct');
  });

  test.each<[string, string | Uint8Array, string]>([
    ['a path that is not there', '/nowhere', 'from /nowhere: there is no such file'],
    ['an ELF file without BTF', elf({ '.text': raw }), 'kernelBtf has no section .BTF'],
    ['an ELF file cut off', elf({ '.BTF': raw }).subarray(0, 0x30), 'it is no 64-bit ELF file'],
    ['an ELF file of 32 bits', elf({}, (view) => view.setUint8(4, 1)), 'it is no 64-bit ELF file'],
    [
      'section headers outside',
      elf({}, (view) => view.setBigUint64(0x28, 1n << 40n, true)),
      'outside the file',
    ],
    ['section headers of no size', elf({}, (view) => view.setUint16(0x3a, 0, true)), 'outside the file'],
    ['something else', new TextEncoder().encode('BTF, honestly'), 'BTF magic'],
    ['nothing', new Uint8Array(0), 'BTF magic'],
  ])('may not be %s', (_, source, why) => {
    expect(() => userBtf(source, host({}))).toThrow(why);
    expect(() => userBtf(source, host({}))).toThrow(BpfError);
  });
});
