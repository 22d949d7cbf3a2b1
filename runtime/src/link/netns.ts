import { printable } from '../errors.js';
import type { Fd, Kernel, ProgQueryResult } from '../kernel/kernel.js';
import { BPF_ATTACH_TYPE } from '../uapi.js';
import { type Attachment, attachError, cannotAttach, errnoOf, type Reason, refusal } from './attach-error.js';
import { type FileTarget, fileSystemOf, nameOfTarget, openTarget, pathOfTarget } from './file-target.js';
import { HeldProgram } from './held-program.js';
import { whyRefused } from './privilege.js';
import { type AttachedProgram, describeProgram, withNames } from './program-name.js';
import { type Hold, holdLink } from './updatable-link.js';

/** The network namespace of this process. */
export const OWN_NAMESPACE = '/proc/self/ns/net';
/** That of the first process, which is the first of all where nobody hides it. */
const FIRST_NAMESPACE = '/proc/1/ns/net';
// linux/magic.h
const NSFS_MAGIC = 0x6e736673;

/** A program on its way into a network namespace. */
export interface NetnsAttachment extends Attachment {
  readonly kernel: Kernel;
  readonly prog: Fd;
  /** `enum bpf_attach_type`. */
  readonly attachType: number;
  readonly namespace: FileTarget;
}

/**
 * Attaches by bpf_link (Linux 5.8), as libbpf's bpf_program__attach_netns. Before that a flow dissector could be attached
 * to the namespace of its process only, by BPF_PROG_ATTACH (Linux 4.20).
 */
export function attachNetns(attachment: NetnsAttachment): Hold {
  const { kernel, prog, attachType, namespace } = attachment;
  let fd: Fd;
  try {
    fd = openTarget(kernel, namespace);
  } catch (error) {
    throw attachError(attachment, error, whyNoNamespace(kernel, namespace));
  }
  try {
    return holdLink(kernel, kernel.linkCreate({ prog, attachType, target: { fd } }));
  } catch (error) {
    const mayDoWithout = namespace === OWN_NAMESPACE && attachType === BPF_ATTACH_TYPE.FLOW_DISSECTOR;
    if (mayDoWithout && errnoOf(error) === 'EINVAL') return attachDirectly(attachment, fd);
    throw attachError(attachment, error, whyNot(attachment, fd, error));
  } finally {
    kernel.close(fd);
  }
}

/** The programs in a namespace, in the order they run. */
export function queryNetns(kernel: Kernel, namespace: FileTarget, attachType: number): AttachedProgram[] {
  const head = `query the programs of ${printable(nameOfTarget(namespace))}`;
  let fd: Fd | undefined;
  try {
    fd = openTarget(kernel, namespace);
    return withNames(kernel, kernel.progQuery({ target: { fd }, attachType }));
  } catch (error) {
    const denied = errnoOf(error) === 'EPERM';
    throw refusal(
      head,
      error,
      denied ? whyRefused(kernel, ['CAP_NET_ADMIN']) : whyNoNamespace(kernel, namespace),
    );
  } finally {
    if (fd !== undefined) kernel.close(fd);
  }
}

function attachDirectly(attachment: NetnsAttachment, fd: Fd): Hold {
  const { kernel, prog, attachType } = attachment;
  const target = 0;
  // The kernel would replace it without a word.
  const taken = whyTaken(attachment, fd);
  if (taken !== undefined) throw cannotAttach(attachment, 'EEXIST', taken);
  try {
    kernel.progAttach({ target, prog, attachType });
  } catch (error) {
    throw attachError(attachment, error, whyNot(attachment, fd, error));
  }
  const held = new HeldProgram(kernel, prog);
  return {
    // The kernel exchanges it.
    update: (next, old) =>
      held.exchange(next, old, (own) => kernel.progAttach({ target, prog: own, attachType })),
    release: () => {
      try {
        kernel.progDetach({ target, prog: held.fd, attachType });
      } catch (error) {
        if (errnoOf(error) !== 'ENOENT') throw error;
      } finally {
        held.close();
      }
    },
  };
}

function whyNot(attachment: NetnsAttachment, fd: Fd, error: unknown): Reason | undefined {
  const { kernel, namespace, attachType } = attachment;
  switch (errnoOf(error)) {
    case 'EINVAL':
      return whyNoNamespace(kernel, namespace);
    case 'EPERM':
      return whyRefused(kernel, ['CAP_BPF', 'CAP_NET_ADMIN']);
    case 'E2BIG':
    case 'EEXIST':
      return (
        whyTaken(attachment, fd) ??
        (attachType === BPF_ATTACH_TYPE.FLOW_DISSECTOR ? whyOneFor(attachment) : undefined)
      );
    default:
      return undefined;
  }
}

function whyNoNamespace(kernel: Kernel, namespace: FileTarget): Reason | undefined {
  const shown = printable(nameOfTarget(namespace));
  switch (fileSystemOf(kernel, pathOfTarget(namespace))) {
    case 0:
      return undefined;
    case undefined:
      return typeof namespace === 'string'
        ? {
            why: `there is no ${shown}`,
            hint: 'Network namespaces are /proc/PID/ns/net, and /run/netns/NAME of ip netns',
          }
        : { why: `${shown} is not open` };
    case NSFS_MAGIC:
      return {
        why: `${shown} is not a network namespace, or this kernel has no links for it (they came with Linux 5.8)`,
      };
    default:
      return {
        why: `${shown} is not a network namespace`,
        hint: 'Those are /proc/PID/ns/net, and /run/netns/NAME of ip netns',
      };
  }
}

function whyTaken({ kernel, attachType }: NetnsAttachment, fd: Fd): Reason | undefined {
  const programs = ask(kernel, fd, attachType)?.programs ?? [];
  if (programs.length === 0) return undefined;
  const names = programs.slice(0, 4).map(({ id }) => describeProgram(kernel, id));
  const more = programs.length > names.length ? ` and ${programs.length - names.length} more` : '';
  return {
    why: `the namespace already has program ${names.join(', ')}${more}, which is as many as it can have`,
    hint: 'Detach it where it was attached (bpftool net, bpftool link detach)',
  };
}

/** The first namespace's flow dissector is for all of them: there may be one there, or one in each of the others. */
function whyOneFor({ kernel, attachType }: NetnsAttachment): Reason {
  const [first] = askFirst(kernel, attachType)?.programs ?? [];
  return first === undefined
    ? { why: 'another namespace has a flow dissector, and that of the first namespace is for all' }
    : {
        why: `the first namespace has flow dissector ${describeProgram(kernel, first.id)}, which is for all`,
      };
}

/** Undefined where this process may not ask. */
function askFirst(kernel: Kernel, attachType: number): ProgQueryResult | undefined {
  let fd: Fd;
  try {
    fd = kernel.openFile(FIRST_NAMESPACE);
  } catch (error) {
    if (errnoOf(error) === undefined) throw error;
    return undefined;
  }
  try {
    return ask(kernel, fd, attachType);
  } finally {
    kernel.close(fd);
  }
}

function ask(kernel: Kernel, fd: Fd, attachType: number): ProgQueryResult | undefined {
  try {
    return kernel.progQuery({ target: { fd }, attachType });
  } catch (error) {
    if (errnoOf(error) === undefined) throw error;
    return undefined;
  }
}
