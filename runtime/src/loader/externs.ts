import { Budget } from '../core/budget.js';
import { typesCompatible } from '../core/compat.js';
import { BpfError, printable } from '../errors.js';
import type { Kernel } from '../kernel/kernel.js';
import { symbolAddresses } from '../link/kallsyms.js';
import type { ExternSpec, ObjectSpec } from '../object/spec.js';
import { bpfCookie, supports, syscallWrapper } from './features.js';
import { parseKconfig, setKconfigNumber, setKconfigText } from './kconfig.js';
import type { KernelTypes, ModuleFd } from './kernel-types.js';

/** What an extern is on this kernel. */
export type ResolvedExtern =
  /** Bytes from the start of `.kconfig`. */
  | { readonly kind: 'kconfig'; readonly offset: number }
  /** A kernel address without a type; 0 for weak symbols that are absent. */
  | { readonly kind: 'address'; readonly address: bigint }
  /** A variable or function of the kernel's BTF, or of a module's. */
  | { readonly kind: 'typed'; readonly btfId: number; readonly module: ModuleFd | undefined }
  /** A weak kfunc that is absent: calls of it must be dead code. */
  | { readonly kind: 'absent' };

/**
 * Finds every extern of an object on this kernel, and fills `.kconfig` (libbpf: bpf_object__resolve_externs). Weak ones
 * may be absent.
 * @param kconfig the bytes of `.kconfig`, which this writes
 * @param user settings that go before those of the kernel's build, as text of the same form
 */
export function resolveExterns(
  spec: ObjectSpec,
  kernel: Kernel,
  types: KernelTypes,
  { kconfig, user = '' }: { kconfig: Uint8Array | undefined; user?: string },
): ResolvedExtern[] {
  const settings = new Settings(kernel, user);
  const addresses = new Addresses(kernel, spec);
  return spec.externs.map((extern) => {
    switch (extern.kind) {
      case 'kconfig':
        if (kconfig !== undefined) fillKconfig(spec, extern, kconfig, settings, kernel);
        return { kind: 'kconfig', offset: extern.dataOffset };
      case 'ksym':
        return { kind: 'address', address: addresses.of(extern) };
      case 'typed_ksym':
        return findTyped(spec, extern, types, 'var');
      case 'kfunc':
        return findTyped(spec, extern, types, 'func');
    }
    return extern.kind satisfies never;
  });
}

/** Kernel configuration, read when the first extern asks for it. */
class Settings {
  readonly #kernel: Kernel;
  readonly #user: ReadonlyMap<string, string>;
  /** Absent where the kernel does not tell. */
  #built: { readonly settings: ReadonlyMap<string, string> | undefined } | undefined;

  constructor(kernel: Kernel, user: string) {
    this.#kernel = kernel;
    this.#user = parseKconfig(user);
  }

  get(name: string): string | undefined {
    const chosen = this.#user.get(name);
    if (chosen !== undefined) return chosen;
    return this.#ofKernel?.get(name);
  }

  /** Whether what get() does not find is not set, rather than unknown. */
  get complete(): boolean {
    return this.#ofKernel !== undefined;
  }

  get #ofKernel(): ReadonlyMap<string, string> | undefined {
    if (this.#built === undefined) {
      const text = this.#kernel.buildConfig();
      this.#built = { settings: text === undefined ? undefined : parseKconfig(text) };
    }
    return this.#built.settings;
  }
}

function fillKconfig(
  spec: ObjectSpec,
  extern: ExternSpec,
  bytes: Uint8Array,
  settings: Settings,
  kernel: Kernel,
): void {
  const { btf } = spec;
  if (btf === undefined) return;
  const data = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (extern.name.startsWith('CONFIG_')) {
    const value = settings.get(extern.name);
    if (value !== undefined) {
      setKconfigText(data, extern, btf, value);
      return;
    }
    const release = printable(kernel.release);
    // Also of weak ones nobody knows whether they are set.
    if (!settings.complete) {
      throw new BpfError(
        'EINVAL',
        `resolve extern "${printable(extern.name)}": neither /boot/config-${release} nor /proc/config.gz can be read; give load() its value as kconfig`,
        { errno: 22 },
      );
    }
    if (extern.weak) return;
    const why = `the configuration of kernel ${release} does not set it`;
    throw unresolved(extern, `${why}; declare it __weak, or give load() its value as kconfig`);
  }
  const virtual = virtualValue(extern.name, kernel);
  if (virtual === undefined && !(extern.weak && extern.name.startsWith('LINUX_'))) {
    throw new BpfError(
      'EINVAL',
      `resolve extern "${printable(extern.name)}": it is neither CONFIG_* nor one of LINUX_KERNEL_VERSION, LINUX_HAS_BPF_COOKIE and LINUX_HAS_SYSCALL_WRAPPER`,
      { errno: 22 },
    );
  }
  setKconfigNumber(data, extern, btf, virtual ?? 0n);
}

function virtualValue(name: string, kernel: Kernel): bigint | undefined {
  switch (name) {
    case 'LINUX_KERNEL_VERSION':
      return BigInt(kernel.version);
    case 'LINUX_HAS_BPF_COOKIE':
      return supports(bpfCookie, kernel) ? 1n : 0n;
    case 'LINUX_HAS_SYSCALL_WRAPPER':
      return supports(syscallWrapper, kernel) ? 1n : 0n;
    default:
      return undefined;
  }
}

/** Addresses of untyped kernel symbols: /proc/kallsyms is long, so it is read once for all of them. */
class Addresses {
  readonly #kernel: Kernel;
  readonly #wanted: ReadonlySet<string>;
  #found: ReadonlyMap<string, bigint> | undefined;

  constructor(kernel: Kernel, { externs }: ObjectSpec) {
    this.#kernel = kernel;
    this.#wanted = new Set(externs.flatMap(({ kind, name }) => (kind === 'ksym' ? [name] : [])));
  }

  of(extern: ExternSpec): bigint {
    this.#found ??= symbolAddresses(this.#kernel, this.#wanted);
    const address = this.#found.get(extern.name);
    if (address === undefined && !extern.weak)
      throw unresolved(extern, 'this kernel has no such symbol in /proc/kallsyms');
    return address ?? 0n;
  }
}

/** A variable or function in the BTF of the kernel, else of a module (libbpf: bpf_object__resolve_ksyms_btf_id). */
function findTyped(
  spec: ObjectSpec,
  extern: ExternSpec,
  types: KernelTypes,
  kind: 'var' | 'func',
): ResolvedExtern {
  const absent: ResolvedExtern = kind === 'func' ? { kind: 'absent' } : { kind: 'address', address: 0n };
  // Several declarations of one kfunc are told apart by `___suffix`.
  const name = kind === 'func' ? extern.name.replace(/___.*$/s, '') : extern.name;
  const found = types.find(name, kind);
  if (found === undefined) {
    if (extern.weak) return absent;
    throw unresolved(
      extern,
      `the BTF of this kernel and of its modules has no such ${kind === 'var' ? 'variable' : 'function'}`,
    );
  }
  const type = found.btf.type(found.id);
  const targetId = type.kind === 'var' || type.kind === 'func' ? type.type : 0;
  const pair = { local: localBtf(spec), target: found.btf, budget: new Budget() };
  const compatible = typesCompatible(
    pair,
    skipQualifiers(pair.local, extern.typeId),
    skipQualifiers(found.btf, targetId),
  );
  if (!compatible) {
    if (extern.weak && kind === 'func') return absent;
    throw new BpfError(
      'EINVAL',
      `resolve extern "${printable(extern.name)}": it is declared with another type than the kernel's ${kind === 'var' ? 'variable' : 'function'} has`,
      { errno: 22 },
    );
  }
  return { kind: 'typed', btfId: found.id, module: found.module };
}

function localBtf({ btf }: ObjectSpec) {
  if (btf === undefined) throw new BpfError('ERR_BPF_NO_BTF', 'resolve externs: the object has no BTF');
  return btf;
}

function skipQualifiers(btf: ReturnType<typeof localBtf>, id: number): number {
  return btf.resolve(id).id;
}

function unresolved({ name }: ExternSpec, why: string): BpfError {
  return new BpfError('ESRCH', `resolve extern "${printable(name)}": ${why}`, { errno: 3 });
}
