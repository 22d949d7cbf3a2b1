import { isBpfError } from '../errors.js';
import type { Kernel } from '../kernel/kernel.js';

const decoder = new TextDecoder('latin1');

/** A kernel text file as a string, undefined when it is absent or not ours to read. Bytes become characters one to one. */
export function readText(kernel: Kernel, path: string): string | undefined {
  try {
    const bytes = kernel.readFile(path);
    return bytes === undefined ? undefined : decoder.decode(bytes);
  } catch (error) {
    if (!isBpfError(error)) throw error;
    return undefined;
  }
}

/** The names in a directory, undefined when it is absent or not ours to read. */
export function list(kernel: Kernel, path: string): readonly string[] | undefined {
  try {
    return kernel.listDirectory(path);
  } catch (error) {
    if (!isBpfError(error)) throw error;
    return undefined;
  }
}
