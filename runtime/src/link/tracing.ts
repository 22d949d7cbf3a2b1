import { printable } from '../errors.js';
import type { Fd, Kernel } from '../kernel/kernel.js';
import { BPF_ATTACH_TYPE } from '../uapi.js';
import {
  type Attachment,
  attachError,
  attachedAlready,
  cannotAttach,
  errnoOf,
  type Reason,
} from './attach-error.js';
import { isTraceable } from './ftrace.js';
import { splitModule } from './kallsyms.js';
import { Link } from './link.js';
import { whyRefused } from './privilege.js';
import { notTraceable } from './why-not-probed.js';

/** A program whose target was fixed when it was loaded: tp_btf, fentry, fexit, fmod_ret, LSM. */
export interface TracingAttachment extends Attachment {
  readonly kernel: Kernel;
  readonly prog: Fd;
  /** `enum bpf_attach_type`. */
  readonly attachType: number;
  /** What bpf_get_attach_cookie() gives the program. Linux 5.18. */
  readonly cookie?: bigint | undefined;
  /** The function of another program that it takes the place of: a type id in that program's BTF. */
  readonly replaces?: { readonly program: Fd; readonly btfId: number } | undefined;
  /** The kernel's function, where it is one: `func` or `module:func`. */
  readonly functionName?: string | undefined;
}

/** Attach types that kernels before 5.15 take through BPF_RAW_TRACEPOINT_OPEN instead. */
const legacyTypes: readonly number[] = [
  BPF_ATTACH_TYPE.TRACE_RAW_TP,
  BPF_ATTACH_TYPE.TRACE_FENTRY,
  BPF_ATTACH_TYPE.TRACE_FEXIT,
  BPF_ATTACH_TYPE.MODIFY_RETURN,
  BPF_ATTACH_TYPE.LSM_MAC,
];

/** Makes the bpf_link, with the fallback of libbpf's bpf_link_create for older kernels. */
export function attachTracing(attachment: TracingAttachment): Link {
  const { kernel, program, target } = attachment;
  try {
    const fd = createLink(attachment);
    return new Link({ kernel, program, target, fd, release: () => kernel.close(fd) });
  } catch (error) {
    throw attachError(attachment, error, whyNotTraced(attachment, error));
  }
}

function createLink(attachment: TracingAttachment): Fd {
  const { kernel, prog, attachType, replaces, cookie = 0n } = attachment;
  try {
    return kernel.linkCreate({
      prog,
      attachType,
      options: { kind: 'tracing', targetBtfId: 0, cookie },
    });
  } catch (error) {
    // The first link takes with it what the program was loaded for; since Linux 5.10 the next can say it again.
    if (errnoOf(error) === 'EINVAL' && replaces !== undefined) {
      const options = { kind: 'tracing', targetBtfId: replaces.btfId, cookie } as const;
      return kernel.linkCreate({ prog, attachType, target: { fd: replaces.program }, options });
    }
    if (errnoOf(error) !== 'EINVAL' || !legacyTypes.includes(attachType)) throw error;
    if (cookie === 0n) return kernel.rawTracepointOpen(prog);
    throw cannotAttach(attachment, 'ERR_BPF_NOT_SUPPORTED', {
      why: `the kernel refused a cookie; it takes one since Linux 5.18 and this is ${kernel.release}`,
      unsupported: { feature: 'bpf_cookie', since: '5.18' },
    });
  }
}

function whyNotTraced({ kernel, functionName }: TracingAttachment, error: unknown): Reason | undefined {
  switch (errnoOf(error)) {
    case 'EPERM':
    case 'EACCES':
      return (
        whyRefused(kernel, ['CAP_BPF', 'CAP_PERFMON']) ?? {
          why: 'the kernel refuses to patch this function, though no capability is missing',
        }
      );
    case 'EOPNOTSUPP':
    case 'ENOTSUPP':
      return {
        why: `this kernel cannot attach programs to functions on ${kernel.arch}: it was built without ftrace direct calls`,
        hint: 'Use a kprobe or a tracepoint instead',
        unsupported: { feature: 'fentry' },
      };
    case 'EEXIST':
      return attachedAlready;
    case 'EBUSY':
      if (functionName !== undefined && isTraceable(kernel, splitModule(functionName)[1]) === false) {
        return notTraceable(printable(functionName));
      }
      return {
        why: 'the program is attached there already, or the function is taken by a live patch or another tracer',
      };
    case 'E2BIG':
      return { why: 'the function already carries as many programs as one function can' };
    default:
      return undefined;
  }
}
