import { printable } from '../errors.js';
import type { Kernel } from '../kernel/kernel.js';
import { type Attachment, cannotAttach, type Reason } from './attach-error.js';
import { readText } from './text.js';

/** The struct of schedulers. */
export const SCHEDULER = 'sched_ext_ops';

const folder = '/sys/kernel/sched_ext';

/** Why the kernel takes no scheduler (kernel/sched/ext.c: scx_ops_enable). */
export function whyNoScheduler(kernel: Kernel, errno: string | undefined): Reason | undefined {
  switch (errno) {
    case 'EBUSY':
      return whyBusy(kernel);
    case 'EINVAL':
      return whyIsolated(kernel);
    default:
      return undefined;
  }
}

/** Why it does not take the members of the struct (bpf_scx_init_member). */
export function whyNoSuchScheduler(errno: string | undefined): Reason | undefined {
  switch (errno) {
    case 'EINVAL':
      return {
        why: 'a scheduler has a name of letters, digits, "_" and ".", and no flags but those the kernel knows',
      };
    case 'E2BIG':
      return {
        why: 'timeout_ms of a scheduler is at most 30000, and dispatch_max_batch at most 2147483647',
      };
    default:
      return undefined;
  }
}

/**
 * The kernel counts a scheduler that fails when it starts as attached, so that its exit() can be told why; libbpf's callers
 * look into what that kept.
 * @throws BpfError when nothing is scheduled by BPF any more
 */
export function assertScheduling(kernel: Kernel, attachment: Attachment): void {
  const state = stateOf(kernel);
  if (state !== 'disabled' && state !== 'disabling') return;
  throw cannotAttach(attachment, 'ERR_BPF_STATE', {
    why: `the kernel took the scheduler and ended it at once (${folder}/state: ${state})`,
    hint: 'Its exit(), and the kernel\'s log (dmesg, "sched_ext"), were told why',
  });
}

function stateOf(kernel: Kernel): string | undefined {
  const state = readText(kernel, `${folder}/state`)?.trim();
  return state === undefined ? undefined : printable(state);
}

function whyBusy(kernel: Kernel): Reason | undefined {
  const state = stateOf(kernel);
  if (state === undefined || state === 'disabled') return undefined;
  const name = readText(kernel, `${folder}/root/ops`)?.trim();
  const running = name === undefined ? 'another scheduler' : `the scheduler "${printable(name)}"`;
  return { why: `${running} is ${state}, and there is one at a time`, hint: 'End that one first' };
}

function whyIsolated(kernel: Kernel): Reason | undefined {
  const isolated = readText(kernel, '/sys/devices/system/cpu/isolated')?.trim();
  return isolated === undefined || isolated === ''
    ? undefined
    : { why: `processors ${printable(isolated)} are isolated (isolcpus=), and then there are no schedulers` };
}
