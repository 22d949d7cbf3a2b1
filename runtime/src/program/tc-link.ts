import type { Fd, Kernel, TcDirection } from '../kernel/kernel.js';
import type { LinkParts } from '../link/link.js';
import type { OrderOptions } from '../link/order.js';
import { attachFilter, type FilterHold, filterTarget } from '../link/tc-filter.js';
import { attachTcx, tcxTarget } from '../link/tcx.js';
import { type Hold, UpdatableLink } from '../link/updatable-link.js';

/** One program on one device, on the tcx hook or in a filter. */
export class TcLink extends UpdatableLink {
  /** Of the filter: lower ones run first; undefined for tcx. */
  readonly priority: number | undefined;
  /** Of the filter; undefined for tcx. */
  readonly handle: number | undefined;

  constructor(parts: Omit<LinkParts, 'fd' | 'release'>, hold: Hold, filter?: FilterHold) {
    super(parts, hold);
    this.priority = filter?.priority;
    this.handle = filter?.handle;
  }

  /** How the program was attached. */
  get via(): 'tcx' | 'clsact' {
    return this.priority === undefined ? 'tcx' : 'clsact';
  }
}

/** A program, and where it goes. */
export interface TcAttachment {
  readonly kernel: Kernel;
  readonly program: string;
  readonly prog: Fd;
  readonly ifindex: number;
  readonly direction: TcDirection;
}

/** Attaches to a tcx hook. */
export function linkTcx(attachment: TcAttachment, order: OrderOptions): TcLink {
  const { kernel, program, ifindex, direction } = attachment;
  const hold = attachTcx({ ...attachment, order });
  return new TcLink({ kernel, program, target: tcxTarget(kernel, ifindex, direction) }, hold);
}

/** Attaches in a filter. */
export function linkFilter(
  attachment: TcAttachment,
  options: { readonly priority?: number; readonly handle?: number; readonly replace?: boolean },
): TcLink {
  const { kernel, program } = attachment;
  const filter = { ...attachment, ...options, as: 'classifier' } as const;
  const hold = attachFilter(filter);
  const { priority, handle } = hold;
  const target = filterTarget({ ...filter, priority, handle });
  return new TcLink({ kernel, program, target }, hold, hold);
}

/** The packets a section of the form `x/ingress` or `x/egress` is about. */
export function directionOf(section: string): TcDirection {
  return section.endsWith('/ingress') ? 'ingress' : 'egress';
}
