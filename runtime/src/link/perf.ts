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
import { Link } from './link.js';
import { whyRefused } from './privilege.js';
import { releaseAll } from './release.js';
import { readText } from './text.js';

/** A perf event to run a program on. */
export interface PerfAttachment extends Attachment {
  readonly kernel: Kernel;
  readonly prog: Fd;
  /** Owned by the link from here on, also when attaching throws. */
  readonly event: Fd;
  /** What bpf_get_attach_cookie() gives the program. Linux 5.15. */
  readonly cookie?: bigint | undefined;
  /** Runs after the event is closed: removes what only existed for it. */
  readonly after?: (() => void) | undefined;
}

/**
 * Runs a program on a perf event: by a bpf_link (Linux 5.15), on older kernels by ioctl, as libbpf's
 * bpf_program__attach_perf_event_opts. Kernels without perf links answer EINVAL to the first.
 */
export function attachPerfEvent(attachment: PerfAttachment): Link {
  const { kernel, event, prog, program, target, after } = attachment;
  let link: Fd | undefined;
  try {
    link = createPerfLink(attachment);
    if (link === undefined) kernel.perfEventSetBpf(event, prog);
    kernel.perfEventEnable(event);
  } catch (error) {
    const opened = link;
    releaseAll(
      opened === undefined ? undefined : () => kernel.close(opened),
      () => kernel.close(event),
      after,
    );
    throw attachError(attachment, error, whyNotRun(kernel, error));
  }
  const opened = link;
  return new Link({
    kernel,
    program,
    target,
    ...(opened === undefined ? {} : { fd: opened }),
    ...(after === undefined
      ? {}
      : { unpinnable: 'this process defined the probe through tracefs, and removes it in the end' }),
    release: () =>
      releaseAll(
        // A pinned bpf_link keeps the event running; the event must not be switched off under it.
        opened === undefined ? () => kernel.perfEventDisable(event) : () => kernel.close(opened),
        () => kernel.close(event),
        after,
      ),
  });
}

function whyNotRun(kernel: Kernel, error: unknown): Reason | undefined {
  const errno = errnoOf(error);
  if (errno === 'EEXIST') return attachedAlready;
  return errno === 'EPERM' ? whyNoPerf(kernel) : undefined;
}

function createPerfLink(attachment: PerfAttachment): Fd | undefined {
  const { kernel, prog, event, cookie = 0n } = attachment;
  try {
    return kernel.linkCreate({
      prog,
      attachType: BPF_ATTACH_TYPE.PERF_EVENT,
      target: { fd: event },
      options: { kind: 'perf_event', cookie },
    });
  } catch (error) {
    if (errnoOf(error) !== 'EINVAL') throw error;
    if (cookie === 0n) return undefined;
    throw cannotAttach(attachment, 'ERR_BPF_NOT_SUPPORTED', {
      why: `the kernel refused a cookie; it takes one since Linux 5.15 and this is ${kernel.release}`,
      unsupported: { feature: 'bpf_cookie', since: '5.15' },
    });
  }
}

/** Why perf_event_open(2) is refused with EPERM or EACCES. */
export function whyNoPerf(kernel: Kernel): Reason | undefined {
  const reason = whyRefused(kernel, ['CAP_PERFMON']);
  const paranoid = readText(kernel, '/proc/sys/kernel/perf_event_paranoid')?.trim();
  if (reason === undefined || paranoid === undefined || !reason.why.includes('lacks')) return reason;
  return { ...reason, why: `${reason.why} (kernel.perf_event_paranoid is ${paranoid})` };
}
