import { printable } from '../errors.js';
import type { Fd, Kernel } from '../kernel/kernel.js';
import { errnoOf } from './attach-error.js';

/** The name of the program with this id as the kernel has it; undefined when it is gone, or this process may not open it. */
export function programName(kernel: Kernel, id: number): string | undefined {
  let fd: Fd;
  try {
    fd = kernel.progById(id);
  } catch (error) {
    if (errnoOf(error) === undefined) throw error;
    return undefined;
  }
  try {
    return kernel.progInfo(fd).name;
  } finally {
    kernel.close(fd);
  }
}

/** For messages: `"count" id 17`, or the id alone when the program cannot be opened. */
export function describeProgram(kernel: Kernel, id: number): string {
  const name = programName(kernel, id);
  return name === undefined ? `id ${id}` : `"${printable(name)}" id ${id}`;
}
