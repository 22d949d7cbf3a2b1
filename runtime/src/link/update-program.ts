import { printable } from '../errors.js';
import type { Fd, Kernel } from '../kernel/kernel.js';
import { attachedAlready, errnoOf, type Reason, refusal } from './attach-error.js';
import { whyRefused } from './privilege.js';
import { describeProgram } from './program-name.js';

/** How a program takes the place of another. */
export interface UpdateOptions {
  /** Only while this program runs there: EPERM when somebody exchanged it meanwhile. */
  readonly expected?: { readonly fd: Fd };
}

/** A program that can be put into a link: a skeleton's, or what has the descriptor of one. */
export interface LinkedProgram {
  readonly fd: Fd;
  readonly name?: string;
}

/** A program on its way into a link. */
export interface ProgramUpdate {
  readonly kernel: Kernel;
  /** The bpf_link. */
  readonly link: Fd;
  /** Name of the program that it takes the place of. */
  readonly running: string;
  readonly program: LinkedProgram;
  readonly expected: UpdateOptions['expected'];
}

/** BPF_LINK_UPDATE. */
export function updateProgram({ kernel, link, running, program, expected }: ProgramUpdate): void {
  try {
    if (expected === undefined) kernel.linkUpdate(link, program.fd);
    else kernel.linkUpdate(link, program.fd, expected.fd);
  } catch (error) {
    const isExpecting = expected !== undefined;
    throw refusal(headOfUpdate(running, program), error, whyNot(kernel, link, error, isExpecting));
  }
}

export function headOfUpdate(running: string, { name }: LinkedProgram): string {
  const to = name === undefined ? '' : ` to "${printable(name)}"`;
  return `update link of "${printable(running)}"${to}`;
}

/** What the errnos of bpf_link_ops.update_prog stand for, which are alike for all types of links. */
function whyNot(kernel: Kernel, link: Fd, error: unknown, isExpecting: boolean): Reason | undefined {
  switch (errnoOf(error)) {
    case 'EPERM': {
      if (!isExpecting) return whyRefused(kernel, ['CAP_BPF', 'CAP_NET_ADMIN']);
      const { progId } = kernel.linkInfo(link);
      return { why: `the program there is ${describeProgram(kernel, progId)}, and not the one expected` };
    }
    case 'EINVAL':
      return {
        why: 'the kernel takes a program of the same type and attach type as the one that runs there',
      };
    case 'EEXIST':
      return attachedAlready;
    case 'ENOLINK':
      return { why: 'what it was attached to is gone, or the link was detached by force' };
    default:
      return undefined;
  }
}
