import { Btf } from '../btf/btf.js';
import { BpfError, isBpfError, NotSupportedError, printable } from '../errors.js';
import type { Kernel } from '../kernel/kernel.js';
import { btfSection, isElf } from './elf-btf.js';

const SYSFS = '/sys/kernel/btf';

/** Where distributions keep a vmlinux with BTF, after sysfs; libbpf's list (btf__load_vmlinux_btf). */
const onDisk = (release: string) => [
  `/boot/vmlinux-${release}`,
  `/lib/modules/${release}/vmlinux-${release}`,
  `/lib/modules/${release}/build/vmlinux`,
  `/usr/lib/modules/${release}/kernel/vmlinux`,
  `/usr/lib/debug/boot/vmlinux-${release}`,
  `/usr/lib/debug/boot/vmlinux-${release}.debug`,
  `/usr/lib/debug/lib/modules/${release}/vmlinux`,
];

/** BTF of a kernel module, split on the kernel's. */
export interface ModuleBtf {
  readonly name: string;
  readonly btf: Btf;
}

// A kernel's types do not change while it runs, so a second load need not read them again; memory that is wanted
// elsewhere may still have the 10 MB back.
const known = new WeakMap<Kernel, WeakRef<Btf>>();

/**
 * The types of the running kernel: /sys/kernel/btf/vmlinux (since 5.4, CONFIG_DEBUG_INFO_BTF=y), else those of a
 * vmlinux on disk. Read once and kept while memory allows.
 * @throws NotSupportedError naming each path tried, BpfError when what sysfs gives cannot be used
 */
export function kernelBtf(kernel: Kernel): Btf {
  const before = known.get(kernel)?.deref();
  if (before !== undefined) return before;
  const btf = fromSysfs(kernel) ?? fromDisk(kernel);
  known.set(kernel, new WeakRef(btf));
  return btf;
}

function fromSysfs(kernel: Kernel): Btf | undefined {
  const path = `${SYSFS}/vmlinux`;
  try {
    const bytes = kernel.readFile(path);
    return bytes === undefined ? undefined : Btf.parse(bytes, { label: path });
  } catch (error) {
    if (!isBpfError(error)) throw error;
    throw new BpfError(error.code, `read the types of this kernel: ${error.message}`, { cause: error });
  }
}

function fromDisk(kernel: Kernel): Btf {
  const tried = [`${SYSFS}/vmlinux`];
  for (const path of onDisk(kernel.release)) {
    try {
      const bytes = kernel.readFile(path);
      if (bytes !== undefined) return parseBtf(bytes, path);
      tried.push(printable(path));
    } catch (error) {
      if (!isBpfError(error)) throw error;
      tried.push(`${printable(path)} (${error.message})`);
    }
  }
  const hint = 'It needs CONFIG_DEBUG_INFO_BTF=y, or give load() the BTF of this very kernel as kernelBtf';
  throw new NotSupportedError(
    'kernel BTF',
    `read the types of this kernel: ${printable(kernel.release)} has none of ${tried.join(', ')}. ${hint}`,
    { since: '5.4', hint },
  );
}

/**
 * BTF of the loaded modules, in order of name (since 5.11, CONFIG_DEBUG_INFO_BTF_MODULES=y). A module whose BTF cannot
 * be used is left out, and `warn` gets a sentence that says so: nobody may need it.
 */
export function moduleBtfs(kernel: Kernel, vmlinux: Btf, warn: (sentence: string) => void): ModuleBtf[] {
  const names = kernel.listDirectory(SYSFS) ?? [];
  return [...names].sort().flatMap((name) => {
    if (name === 'vmlinux') return [];
    const path = `${SYSFS}/${name}`;
    try {
      const bytes = kernel.readFile(path);
      // Unloaded meanwhile.
      if (bytes === undefined) return [];
      return [{ name, btf: Btf.parse(bytes, { base: vmlinux, label: path }) }];
    } catch (error) {
      if (!isBpfError(error)) throw error;
      warn(`the types of module ${printable(name)} are left out: ${error.message}`);
      return [];
    }
  });
}

/**
 * BTF that a user gives instead of the running kernel's.
 * @param source raw BTF, or an ELF file with a `.BTF` section: its bytes, or its path
 * @throws BpfError when there is no such file or no BTF in it
 */
export function userBtf(source: string | Uint8Array, kernel: Pick<Kernel, 'readFile'>): Btf {
  if (typeof source !== 'string') return parseBtf(source, 'kernelBtf');
  const bytes = kernel.readFile(source);
  const path = printable(source);
  if (bytes === undefined) {
    throw new BpfError('ENOENT', `read the types of the kernel from ${path}: there is no such file`, {
      errno: 2,
    });
  }
  return parseBtf(bytes, path);
}

function parseBtf(bytes: Uint8Array, label: string): Btf {
  return Btf.parse(isElf(bytes) ? btfSection(bytes, label) : bytes, { label });
}
