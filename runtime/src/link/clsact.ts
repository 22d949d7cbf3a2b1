import type { Kernel, TcDirection } from '../kernel/kernel.js';
import { type Attachment, attachError, cannotAttach, errnoOf, type Reason } from './attach-error.js';
import { deviceName } from './device.js';
import { whyRefused } from './privilege.js';

/** A clsact qdisc that this process made, and how many filters it holds of ours: the last takes it along. */
export interface MadeQdisc {
  filters: number;
}

/** By kernel and device. */
const made = new WeakMap<Kernel, Map<number, MadeQdisc>>();

/** What needs the qdisc. */
export interface ClsactEntry {
  readonly kernel: Kernel;
  readonly ifindex: number;
  readonly direction: TcDirection;
}

/**
 * Makes a device's clsact qdisc when there is none, for one more filter. Undefined when it is not of this process. Throws
 * when the device has an `ingress` qdisc and the filter is for sent packets.
 */
export function enterClsact(
  { kernel, ifindex, direction }: ClsactEntry,
  attachment: Attachment,
): MadeQdisc | undefined {
  let there: string | undefined;
  try {
    there = kernel.filterQdisc(ifindex);
    if (there === undefined) {
      const mine = makeQdisc(kernel, ifindex);
      if (mine !== undefined) return mine;
      // Somebody else was faster.
      there = kernel.filterQdisc(ifindex);
    }
  } catch (error) {
    throw attachError(attachment, error, whyNoQdisc(kernel, error));
  }
  if (there !== 'ingress' || direction === 'ingress') {
    const mine = made.get(kernel)?.get(ifindex);
    if (mine !== undefined) mine.filters += 1;
    return mine;
  }
  // The kernel would take the filter, and run it for received packets.
  const device = deviceName(kernel, ifindex);
  throw cannotAttach(attachment, 'EEXIST', {
    why: `${device} has an ingress qdisc in the place of clsact, and that sees received packets only`,
    hint: `Remove it: tc qdisc del dev ${device} ingress`,
  });
}

/** Undefined when there is one by now. */
function makeQdisc(kernel: Kernel, ifindex: number): MadeQdisc | undefined {
  try {
    kernel.clsactCreate(ifindex);
  } catch (error) {
    if (errnoOf(error) !== 'EEXIST') throw error;
    return undefined;
  }
  const qdisc: MadeQdisc = { filters: 1 };
  const devices = made.get(kernel) ?? new Map<number, MadeQdisc>();
  made.set(kernel, devices.set(ifindex, qdisc));
  return qdisc;
}

/** Ends what {@link enterClsact} began: the last filter takes away the qdisc this process made, unless others use it. */
export function leaveClsact(kernel: Kernel, ifindex: number, qdisc: MadeQdisc | undefined): void {
  if (qdisc === undefined) return;
  qdisc.filters -= 1;
  if (qdisc.filters > 0) return;
  made.get(kernel)?.delete(ifindex);
  const isUsed = (['ingress', 'egress'] as const).some((way) => kernel.filterQuery(ifindex, way).length > 0);
  if (!isUsed && kernel.filterQdisc(ifindex) === 'clsact') kernel.clsactDelete(ifindex);
}

function whyNoQdisc(kernel: Kernel, error: unknown): Reason | undefined {
  switch (errnoOf(error)) {
    case 'EPERM':
      return whyRefused(kernel, ['CAP_NET_ADMIN']);
    case 'ENOENT':
      return {
        why: 'this kernel has no clsact qdisc (CONFIG_NET_SCH_INGRESS, module sch_ingress, Linux 4.5)',
        unsupported: { feature: 'clsact', since: '4.5' },
      };
    default:
      return undefined;
  }
}
