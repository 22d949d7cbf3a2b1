import { printable } from '../errors.js';
import type { Fd, Kernel, ProgQueryResult } from '../kernel/kernel.js';
import { errnoOf } from './attach-error.js';

/** A program that is attached somewhere, by whomever. */
export interface AttachedProgram {
  readonly id: number;
  /** As the kernel has it, cut after 15 characters; empty when this process may not open the program. */
  readonly name: string;
}

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

/** The programs of an answer, with their names. */
export function withNames(kernel: Kernel, { programs }: ProgQueryResult): AttachedProgram[] {
  return programs.map(({ id }) => ({ id, name: programName(kernel, id) ?? '' }));
}
