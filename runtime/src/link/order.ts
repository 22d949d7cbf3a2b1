import type { Fd } from '../kernel/kernel.js';
import { BPF_F_AFTER, BPF_F_BEFORE, BPF_F_ID, BPF_F_LINK } from '../uapi.js';
import { type Attachment, cannotAttach } from './attach-error.js';
import { Link } from './link.js';

/**
 * A link or program on the same hook: a link, what a query told of a program there, or a link's id; where no link holds it,
 * a program of a skeleton, or a program's id.
 *
 * @example
 * const [first] = skel.progs.count.query('eth0').programs;
 * if (first !== undefined) skel.progs.count.attach('eth0', { before: first });
 */
export type Anchor =
  | Link
  /** A link's id: `{ link: 17 }`. */
  | { readonly link: number }
  /** A program of a skeleton. */
  | { readonly fd: Fd }
  /** A program's id; with `linkId`, as a query tells it, that link. */
  | { readonly id: number; readonly linkId?: number | undefined };

/** Where a program goes among the others of one hook; last, when nothing is said. */
export interface OrderOptions {
  /** It runs before this one, or before all that are there now. */
  readonly before?: Anchor | 'all';
  /** It runs after this one, or after all that are there now. */
  readonly after?: Anchor | 'all';
  /** Attach only while the hook's programs are those of this revision, which a query told. */
  readonly expectedRevision?: bigint;
}

/** The order as the kernel wants it: flags, and what they are about. */
export interface Place {
  readonly flags: number;
  readonly relative?: Fd;
  readonly expectedRevision?: bigint;
}

/** True when something was said about the order. */
export function isOrdered({ before, after, expectedRevision }: OrderOptions): boolean {
  return before !== undefined || after !== undefined || expectedRevision !== undefined;
}

/** Throws ERR_BPF_ARGUMENT when both sides are given: the kernel takes one neighbour. */
export function placeOf(attachment: Attachment, { before, after, expectedRevision }: OrderOptions): Place {
  if (before !== undefined && after !== undefined) {
    throw cannotAttach(attachment, 'ERR_BPF_ARGUMENT', {
      why: 'a program goes before another or after another, not both',
    });
  }
  const anchor = before ?? after;
  const side = before !== undefined ? BPF_F_BEFORE : after !== undefined ? BPF_F_AFTER : 0;
  const revision = expectedRevision === undefined ? {} : { expectedRevision };
  const byLink = (id: number) => ({ flags: side | BPF_F_LINK | BPF_F_ID, relative: id, ...revision });
  if (anchor === undefined || anchor === 'all') return { flags: side, ...revision };
  if (anchor instanceof Link) return byLink(anchor.info().id);
  if ('link' in anchor) return byLink(anchor.link);
  if ('fd' in anchor) return { flags: side, relative: anchor.fd, ...revision };
  if (anchor.linkId !== undefined) return byLink(anchor.linkId);
  return { flags: side | BPF_F_ID, relative: anchor.id, ...revision };
}
