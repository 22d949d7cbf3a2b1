import { BpfError } from '../errors.js';
import type { Fd, Kernel, TcDirection, TcFilter, TcFilterKey, TcFilterSet } from '../kernel/kernel.js';
import { type Attachment, attachError, cannotAttach, errnoOf, type Reason } from './attach-error.js';
import { enterClsact, leaveClsact, type MadeQdisc } from './clsact.js';
import { deviceName } from './device.js';
import { assertExpected } from './held-program.js';
import { whyRefused } from './privilege.js';
import { describeProgram } from './program-name.js';
import { failAfter, releaseAll } from './release.js';
import type { DirectHold } from './updatable-link.js';

/** A program on its way into a filter of a device's clsact qdisc. */
export interface FilterAttachment {
  readonly kernel: Kernel;
  readonly prog: Fd;
  readonly program: string;
  readonly ifindex: number;
  readonly direction: TcDirection;
  readonly as: TcFilterSet['as'];
  readonly priority?: number;
  readonly handle?: number;
  readonly replace?: boolean;
}

const kinds = { classifier: 'bpf', action: 'matchall' } as const;

/**
 * Makes a filter that runs the program, as bpf_tc_hook_create and bpf_tc_attach of libbpf, in the clsact qdisc, which is
 * made when there is none. The kernel holds the filter, not this process.
 */
export function attachFilter(filter: FilterAttachment): FilterHold {
  const { kernel, prog, program, ifindex, direction, as } = filter;
  const attachment = { program, target: filterTarget(filter) };
  checkNumbers(filter, attachment);
  const qdisc = enterClsact(filter, attachment);
  try {
    const { name, id } = kernel.progInfo(prog);
    const set = filterSet(filter, `${name}:[${id}]`);
    const { priority, handle } = kernel.filterSet(set);
    return new FilterHold(kernel, { ifindex, direction, as, priority, handle }, qdisc, id);
  } catch (error) {
    const reason = attachError(attachment, error, whyNoFilter(filter, error));
    failAfter(reason, () => leaveClsact(kernel, ifindex, qdisc));
  }
}

function checkNumbers({ priority, handle, replace }: FilterAttachment, attachment: Attachment): void {
  const refuse = (why: string): never => {
    throw cannotAttach(attachment, 'ERR_BPF_ARGUMENT', { why });
  };
  const isOutside = (value: number | undefined, most: number) =>
    value !== undefined && !(Number.isInteger(value) && value >= 1 && value <= most);
  if (isOutside(priority, 0xffff)) refuse(`priority ${priority} is not from 1 to 65535`);
  if (isOutside(handle, 0xffffffff)) refuse(`handle ${handle} is not from 1 to 4294967295`);
  if (replace === true && (priority === undefined || handle === undefined)) {
    refuse('{ replace } takes the priority and the handle of the filter to replace');
  }
}

/** `tc eth0 ingress`, with what was asked for. */
export function filterTarget({ kernel, ifindex, direction, priority, handle }: FilterAttachment): string {
  const number = priority === undefined ? '' : ` priority ${priority}`;
  return `tc ${deviceName(kernel, ifindex)} ${direction}${number}${handle === undefined ? '' : ` handle ${handle}`}`;
}

function filterSet(filter: FilterAttachment, name: string): TcFilterSet {
  const { prog, ifindex, direction, as, priority, handle, replace } = filter;
  return {
    prog,
    ifindex,
    direction,
    as,
    name,
    ...(priority === undefined ? {} : { priority }),
    ...(handle === undefined ? {} : { handle }),
    ...(replace === true ? { replace } : {}),
  };
}

/** What holds a program in a filter. */
export class FilterHold implements DirectHold {
  readonly priority: number;
  readonly handle: number;
  readonly #kernel: Kernel;
  readonly #key: TcFilterKey & Pick<TcFilterSet, 'as'>;
  readonly #qdisc: MadeQdisc | undefined;
  #progId: number;

  constructor(
    kernel: Kernel,
    key: TcFilterKey & Pick<TcFilterSet, 'as'>,
    qdisc: MadeQdisc | undefined,
    progId: number,
  ) {
    this.#kernel = kernel;
    this.#key = key;
    this.priority = key.priority;
    this.handle = key.handle;
    this.#qdisc = qdisc;
    this.#progId = progId;
  }

  /** Exchanges the program of the filter in place. */
  update(prog: Fd, expected: Fd | undefined): void {
    if (!this.#isOurs()) {
      throw new BpfError(
        'ENOENT',
        'exchange the program of a filter: it is gone, or runs another one by now',
      );
    }
    if (expected !== undefined) assertExpected(this.#kernel, this.#progId, expected);
    const { name, id } = this.#kernel.progInfo(prog);
    this.#kernel.filterSet({ ...this.#key, prog, name: `${name}:[${id}]`, replace: true });
    this.#progId = id;
  }

  /** Deletes the filter, unless it is gone or runs another program by now; and the qdisc, if we made it and it is empty. */
  release(): void {
    releaseAll(
      () => inPeace(() => this.#isOurs() && this.#kernel.filterDelete(this.#key)),
      () => inPeace(() => leaveClsact(this.#kernel, this.#key.ifindex, this.#qdisc)),
    );
  }

  #isOurs(): boolean {
    const { ifindex, direction, priority, handle, as } = this.#key;
    return this.#kernel.filterQuery(ifindex, direction).some(
      (each) =>
        each.priority === priority &&
        each.handle === handle &&
        each.kind === kinds[as] &&
        // Before 4.13 the kernel does not say.
        (each.progId === this.#progId || each.progId === 0),
    );
  }
}

/** The device, the qdisc or the filter may be gone by now. */
function inPeace(end: () => unknown): void {
  try {
    end();
  } catch (error) {
    const errno = errnoOf(error);
    if (errno !== 'ENODEV' && errno !== 'ENOENT') throw error;
  }
}

function whyNoFilter(filter: FilterAttachment, error: unknown): Reason | undefined {
  const { kernel, as } = filter;
  switch (errnoOf(error)) {
    case 'EPERM':
      return whyRefused(kernel, ['CAP_NET_ADMIN']);
    case 'EEXIST':
      return whyTaken(filter);
    case 'EINVAL':
      return whyOther(filter);
    case 'ENOENT':
      return as === 'classifier'
        ? {
            why: 'this kernel has no BPF classifier (CONFIG_NET_CLS_BPF, module cls_bpf)',
            unsupported: { feature: 'cls_bpf' },
          }
        : {
            why: 'this kernel lacks the classifier or the action of such a filter (CONFIG_NET_CLS_MATCHALL, CONFIG_NET_ACT_BPF)',
            unsupported: { feature: 'act_bpf' },
          };
    default:
      return undefined;
  }
}

/** A filter with this priority and handle is there. */
function whyTaken(filter: FilterAttachment): Reason | undefined {
  const { kernel, priority, handle, as } = filter;
  const there = samePriority(filter).find((each) => handle === undefined || each.handle === handle);
  if (there === undefined) return undefined;
  const runs = there.progId === 0 ? there.kind : `program ${describeProgram(kernel, there.progId)}`;
  const instead = as === 'classifier' ? ', or pass { replace: true }' : '';
  return {
    why: `the filter with priority ${priority} and handle ${there.handle} is there already and runs ${runs}`,
    hint: `Leave the choice of priority to the kernel${instead}`,
  };
}

/** Filters of one priority are of one kind. */
function whyOther(filter: FilterAttachment): Reason | undefined {
  const other = samePriority(filter).find(({ kind }) => kind !== kinds[filter.as]);
  return other === undefined
    ? undefined
    : {
        why: `priority ${filter.priority} has a filter of kind ${other.kind}, and filters of one priority are of one kind`,
        hint: 'Use another priority',
      };
}

function samePriority({ kernel, ifindex, direction, priority }: FilterAttachment): readonly TcFilter[] {
  return kernel.filterQuery(ifindex, direction).filter((each) => each.priority === priority);
}
