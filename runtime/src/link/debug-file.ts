import { isBpfError } from '../errors.js';
import type { Kernel } from '../kernel/kernel.js';
import { type Binary, facts, readBinary } from './binary.js';
import { type ElfFile, FileSectionType } from './elf-file.js';
import { type FoundFunction, findFunctions } from './find-function.js';

const NT_GNU_BUILD_ID = 3;
const ROOT = '/usr/lib/debug';

/**
 * Finds functions whose symbols were stripped from a binary in the file of debugging symbols that belongs to it, where
 * one is installed: under /usr/lib/debug by build id, or beside the binary by the name it keeps (.gnu_debuglink), as gdb
 * looks for it. It belongs to it when both have the same build id. libbpf does without. Offsets are those of the binary.
 */
export function findDebugFunctions(
  kernel: Kernel,
  elf: ElfFile,
  binary: Binary,
  names: readonly string[],
): readonly FoundFunction[] {
  const id = buildId(elf);
  if (id === undefined || names.length === 0) return [];
  for (const path of candidates(elf, binary, id)) {
    const found = facts(kernel, path)?.kind === 'file' ? findIn(kernel, path, id, names) : undefined;
    if (found !== undefined) return found.map((each) => inBinary(elf, each));
  }
  return [];
}

/** Hexadecimal; undefined for a binary that was linked without one. */
export function buildId(elf: ElfFile): string | undefined {
  const section = elf.sectionNamed('.note.gnu.build-id');
  if (section?.type !== FileSectionType.NOTE) return undefined;
  const reader = elf.reader(section, '.note.gnu.build-id');
  if (reader.size < 16 || reader.u32(0) !== 4 || reader.u32(8) !== NT_GNU_BUILD_ID) return undefined;
  const bytes = reader.slice(16, Math.min(reader.u32(4), 64));
  return bytes.length < 2 ? undefined : [...bytes].map((byte) => byte.toString(16).padStart(2, '0')).join('');
}

/** Where the symbols of a build are when their package is installed. */
export function debugPath(id: string): string {
  return `${ROOT}/.build-id/${id.slice(0, 2)}/${id.slice(2)}.debug`;
}

function candidates(elf: ElfFile, { path, shown }: Binary, id: string): readonly string[] {
  const root = path.endsWith(shown) ? path.slice(0, -shown.length) : '';
  const paths = [`${root}${debugPath(id)}`];
  const section = elf.sectionNamed('.gnu_debuglink');
  const name = section === undefined ? '' : elf.reader(section, '.gnu_debuglink').cstring(0);
  // A name is a name, and no way out of the directory.
  if (name === '' || name.includes('/') || name.length > 255) return paths;
  const directory = shown.slice(0, shown.lastIndexOf('/') + 1);
  return [
    ...paths,
    ...[directory, `${directory}.debug/`, `${ROOT}${directory}`].map((each) => `${root}${each}${name}`),
  ];
}

function findIn(
  kernel: Kernel,
  path: string,
  id: string,
  names: readonly string[],
): readonly FoundFunction[] | undefined {
  try {
    return readBinary(kernel, { path, shown: path }, (debug) =>
      buildId(debug) === id ? findFunctions(debug, names) : undefined,
    );
  } catch (error) {
    // A file that cannot be read helps no more than none.
    if (!isBpfError(error)) throw error;
    return undefined;
  }
}

/** The code is in the binary, at the address that the symbol tells. */
function inBinary(elf: ElfFile, found: FoundFunction): FoundFunction {
  if (found === undefined || !('offset' in found)) return found;
  const { address } = found;
  const segment = elf
    .segments()
    .find((each) => each.executable && address >= each.address && address < each.address + each.fileSize);
  return segment === undefined ? undefined : { address, offset: address - segment.address + segment.offset };
}
