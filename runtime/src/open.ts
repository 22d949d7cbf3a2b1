import { BpfError, isBpfError, MalformedError, printable } from './errors.js';
import { readHostFile } from './kernel/host-file.js';
import type { Kernel } from './kernel/kernel.js';
import { linuxKernel } from './kernel/linux.js';
import type { LiveObject } from './loader/live-object.js';
import type { MapShapes, ProgramShapes } from './loader/live-parts.js';
import { type LoadOptions, load } from './loader/load.js';
import { OpenObject } from './loader/open-object.js';
import { parseObject } from './object/parse.js';
import type { ObjectSpec } from './object/spec.js';

/** How load() finds the kernel and its types. */
export interface KernelLoadOptions extends LoadOptions {
  /** The kernel to load into: this host's by default, the fake one of `@bpfskel/runtime/testing` in tests. */
  readonly kernel?: Kernel;
}

/** An object between open and load that knows this host's kernel. */
export class LoadableObject extends OpenObject {
  readonly #options: KernelLoadOptions;

  /** @param options what load() takes where it is not told otherwise */
  constructor(name: string, spec: ObjectSpec, options: KernelLoadOptions = {}) {
    super(name, spec);
    this.#options = options;
  }

  /**
   * Loads maps, then programs. Uses this object up.
   * @throws VerifierError when the kernel refuses a program, SyscallError, BpfError; then nothing stays in the kernel.
   */
  load(
    given: KernelLoadOptions & { readonly shapes?: MapShapes; readonly programs?: ProgramShapes } = {},
  ): LiveObject {
    const { kernel = linuxKernel(), ...options } = { ...this.#options, ...given };
    return load(this, kernel, options);
  }
}

/**
 * Opens a compiled BPF object without a generated skeleton: maps and programs by name, keys and values as bytes.
 * `source` is a path or the file's bytes; `name` stands in for the file's name where there is none; the other options are
 * those of load().
 * @throws BpfError when the file cannot be read, MalformedError when it is no BPF object.
 */
export function openObject(
  source: string | Uint8Array,
  { name, ...options }: KernelLoadOptions & { readonly name?: string } = {},
): LoadableObject {
  const bytes = typeof source === 'string' ? readHostFile(source) : source;
  const given = name ?? (typeof source === 'string' ? objectName(source) : 'object');
  return new LoadableObject(given, parseNamed(bytes, typeof source === 'string' ? source : given), options);
}

/** parseObject() whose errors say which object it is, by its path or name. */
export function parseNamed(bytes: Uint8Array, name: string): ObjectSpec {
  try {
    return parseObject(bytes);
  } catch (error) {
    if (error instanceof MalformedError) throw error.of(name);
    if (!isBpfError(error)) throw error;
    const { code, errno, cause = error } = error;
    throw new BpfError(code, `open ${printable(name)}: ${error.message}`, { errno, cause });
  }
}

/** The name libbpf gives an object: its file name without directories, `.o` and `.bpf`. */
export function objectName(path: string): string {
  const base = path.split('/').at(-1) ?? path;
  return base.replace(/\.o$/, '').replace(/\.bpf$/, '') || printable(base);
}
