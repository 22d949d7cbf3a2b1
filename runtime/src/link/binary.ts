import { BpfError, isBpfError, MalformedError, printable } from '../errors.js';
import type { Fd, FileFacts, Kernel } from '../kernel/kernel.js';
import { type FilePart, findMember } from './archive.js';
import type { Reason } from './attach-error.js';
import { ElfFile, type FileBytes, isElf } from './elf-file.js';
import { processMaps, processRoot } from './process-maps.js';
import { list } from './text.js';

/** A program or library of this host. */
export interface Binary {
  /** Where this process finds it. */
  readonly path: string;
  /** What messages call it: the path as the probed process sees it. */
  readonly shown: string;
  /** Where in the file it lies, when that is an archive. */
  readonly part?: FilePart;
}

/** Where Debian and its like keep the libraries of an architecture. */
const triplets: Readonly<Record<string, string>> = {
  x64: 'x86_64-linux-gnu',
  arm64: 'aarch64-linux-gnu',
  riscv64: 'riscv64-linux-gnu',
  loong64: 'loongarch64-linux-gnu',
};

/**
 * Finds a binary as libbpf's resolve_full_path: a name with a slash is a path; `.so` names are looked for in
 * LD_LIBRARY_PATH, /usr/lib64, /usr/lib and the architecture's directory, others in PATH, /usr/bin and /usr/sbin. Beyond
 * libbpf: with `pid`, in the file system of that process, where a library that it has mapped comes first; and /lib64 and
 * /lib, which are not everywhere the same as those under /usr.
 */
export function findBinary(kernel: Kernel, name: string, pid?: number): Binary | Reason {
  const shown = printable(name);
  if (name === '') return { why: 'no binary is named' };
  if (name.includes('\0')) return { why: `${shown} is no path` };
  if (name.includes('!/')) {
    return {
      why: `${shown} is a file in an archive, where only uprobe and uretprobe programs find functions`,
      hint: 'Unpack it, and probe the unpacked file',
    };
  }
  const root = processRoot(kernel, pid);
  if (name.includes('/')) {
    // Only absolute paths mean something in another file system; those of procfs mean ours.
    const path = name.startsWith('/') && !name.startsWith('/proc/') ? root + name : name;
    return refuseMissing(kernel, path, shown) ?? { path, shown: name };
  }
  const library = isLibrary(name);
  const mapped = library && pid !== undefined ? mappedLibrary(kernel, pid, name) : undefined;
  if (mapped !== undefined && facts(kernel, root + mapped) !== undefined) {
    return { path: root + mapped, shown: mapped };
  }
  const directories = searchPath(kernel, library);
  for (const directory of directories) {
    const found = facts(kernel, `${root}${directory}/${name}`);
    if (found?.kind === 'file' && found.readable && (library || found.executable)) {
      return { path: `${root}${directory}/${name}`, shown: `${directory}/${name}` };
    }
  }
  return whyNotFound(kernel, root, name, directories);
}

/** True for `libc.so.6` and `libfoo.so`, as libbpf tells libraries from programs. */
function isLibrary(name: string): boolean {
  return name.endsWith('.so') || name.includes('.so.');
}

/** Directories in the order they are searched. */
export function searchPath(kernel: Kernel, library: boolean): readonly string[] {
  const triplet = triplets[kernel.arch];
  const lists = library
    ? [
        kernel.environment('LD_LIBRARY_PATH'),
        '/usr/lib64:/usr/lib',
        triplet && `/lib/${triplet}`,
        '/lib64:/lib',
      ]
    : [kernel.environment('PATH'), '/usr/bin:/usr/sbin'];
  const all = lists.flatMap((each) => each?.split(':') ?? []).filter((directory) => directory !== '');
  return [...new Set(all)];
}

function mappedLibrary(kernel: Kernel, pid: number, name: string): string | undefined {
  const regions = processMaps(kernel, pid) ?? [];
  return regions.find(({ path, deleted }) => !deleted && path.endsWith(`/${name}`))?.path;
}

function refuseMissing(kernel: Kernel, path: string, shown: string): Reason | undefined {
  const found = facts(kernel, path);
  if (found === undefined) {
    const slash = path.lastIndexOf('/');
    const begun = (list(kernel, path.slice(0, slash) || '/') ?? []).filter((each) =>
      each.startsWith(`${path.slice(slash + 1)}.`),
    );
    return { why: `there is no ${shown}`, ...similar(begun) };
  }
  if (found.kind === 'file') return undefined;
  return { why: `${shown} is ${found.kind === 'directory' ? 'a directory' : 'no regular file'}` };
}

function whyNotFound(kernel: Kernel, root: string, name: string, directories: readonly string[]): Reason {
  const begun = directories.flatMap((directory) =>
    (list(kernel, root + directory) ?? []).filter((each) => each.startsWith(`${name}.`)),
  );
  const searched = directories.slice(0, 12).map((each) => printable(each));
  return {
    why: `there is no ${printable(name)} in ${searched.join(', ')}`,
    ...(begun.length > 0 ? similar(begun) : { hint: 'Give its path' }),
  };
}

function similar(names: readonly string[]): { hint?: string } {
  const some = [...new Set(names)].slice(0, 4).map((each) => printable(each));
  return some.length === 0 ? {} : { hint: `There is ${some.join(', ')}` };
}

/** What is at a path, undefined when nothing is or it cannot be told. */
export function facts(kernel: Kernel, path: string): FileFacts | undefined {
  try {
    return kernel.fileFacts(path);
  } catch (error) {
    if (!isBpfError(error)) throw error;
    return undefined;
  }
}

/**
 * Reads a binary with `use`, which may not keep it. What is no ELF file, or a broken one, is an error that names it.
 * @throws BpfError ERR_BPF_NOT_ELF, MalformedError, SyscallError
 */
export function readBinary<T>(kernel: Kernel, binary: Binary, use: (elf: ElfFile) => T): T {
  return readFile(kernel, binary, (file) => {
    if (!isElf(file)) throw notElf(file, binary);
    return use(new ElfFile(file));
  });
}

/** Finds `member` in the zip archive `archive`: the binary that a process maps from there, or why there is none. */
export function findInArchive(kernel: Kernel, archive: Binary, member: string): Binary | Reason {
  const part = readFile(kernel, archive, (file) => findMember(file, member));
  return 'why' in part ? part : { path: archive.path, shown: `${archive.shown}!/${member}`, part };
}

/** Reads a file, or the part of one, with `use`, which may not keep it. */
function readFile<T>(kernel: Kernel, { path, part }: Binary, use: (file: FileBytes) => T): T {
  const fd = kernel.openFile(path);
  try {
    return use(fileBytes(kernel, fd, part ?? { start: 0, size: facts(kernel, path)?.size ?? 0 }));
  } finally {
    kernel.close(fd);
  }
}

function fileBytes(kernel: Kernel, fd: Fd, { start, size }: FilePart): FileBytes {
  return {
    size,
    read(offset, length) {
      const bytes = new Uint8Array(length);
      const count = kernel.readAt(fd, bytes, start + offset);
      // It shrank meanwhile.
      if (count < length) throw new MalformedError('file', offset, `it ends after ${offset + count} bytes`);
      return bytes;
    },
  };
}

function notElf(file: FileBytes, { shown }: Binary): BpfError {
  const start = new TextDecoder().decode(file.read(0, Math.min(file.size, 120)));
  const interpreter = /^#! *(\S+)/.exec(start)?.[1];
  const name = printable(shown);
  if (interpreter !== undefined) {
    return new BpfError(
      'ERR_BPF_NOT_ELF',
      `${name} is a script; what runs is ${printable(interpreter)}, probe that`,
    );
  }
  const what = start.startsWith('/* GNU ld script')
    ? 'is a linker script; probe the library it names'
    : 'is no ELF file';
  return new BpfError('ERR_BPF_NOT_ELF', `${name} ${what}`);
}
