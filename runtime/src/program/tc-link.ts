import type { Fd, Kernel, TcDirection } from '../kernel/kernel.js';
import type { LinkHold } from '../link/hook.js';
import { Link, type LinkParts } from '../link/link.js';
import type { OrderOptions } from '../link/order.js';
import { attachFilter, type FilterHold, filterTarget } from '../link/tc-filter.js';
import { attachTcx, tcxTarget } from '../link/tcx.js';

type Hold = ({ readonly via: 'tcx' } & LinkHold) | ({ readonly via: 'clsact' } & { hold: FilterHold });

/** One program on one device, on the tcx hook or in a filter. */
export class TcLink extends Link {
  readonly #hold: Hold;

  constructor(parts: LinkParts, hold: Hold) {
    super(parts);
    this.#hold = hold;
  }

  /** How the program was attached. */
  get via(): 'tcx' | 'clsact' {
    return this.#hold.via;
  }

  /** Of the filter; undefined for tcx. */
  get priority(): number | undefined {
    return this.#hold.via === 'clsact' ? this.#hold.hold.priority : undefined;
  }

  /** Of the filter; undefined for tcx. */
  get handle(): number | undefined {
    return this.#hold.via === 'clsact' ? this.#hold.hold.handle : undefined;
  }

  /** Exchanges the program without a packet in between that sees none, or both. */
  update(program: { readonly fd: number }): void {
    this.assertAttached('update');
    if (this.#hold.via === 'tcx') this.#hold.update(program.fd);
    else this.#hold.hold.update(program.fd);
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
  const { fd, release } = hold;
  const target = tcxTarget(kernel, ifindex, direction);
  return new TcLink({ kernel, program, target, fd, release }, { via: 'tcx', ...hold });
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
  return new TcLink({ kernel, program, target, release: () => hold.release() }, { via: 'clsact', hold });
}

/** The packets a section of the form `x/ingress` or `x/egress` is about. */
export function directionOf(section: string): TcDirection {
  return section.endsWith('/ingress') ? 'ingress' : 'egress';
}
