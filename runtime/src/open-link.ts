import { BpfError } from './errors.js';
import type { Fd, Kernel, LinkType } from './kernel/kernel.js';
import { linuxKernel } from './kernel/linux.js';
import { errnoOf, type Reason, refusal } from './link/attach-error.js';
import {
  adoptLink,
  type OpenedLink,
  type OpenedStructOpsLink,
  type UpdatableLinkType,
  type UpdatableOpenedLink,
} from './link/opened-link.js';
import { openPin } from './link/pin.js';
import { whyRefused } from './link/privilege.js';

/** Where a link is opened. */
export interface OpenLinkOptions {
  /** This host's by default, the fake one of `@bpfskel/runtime/testing` in tests. */
  readonly kernel?: Kernel;
}

/**
 * Opens a link that is pinned in a BPF file system, by this process or any other. With its `type` the answers of `info()`
 * are of that type, and those that the kernel exchanges programs in have `update()`. Linux 5.8. As libbpf's
 * bpf_link__open.
 *
 * ```ts
 * using link = openLink('/sys/fs/bpf/agent/count', 'xdp');
 * link.update(skel.progs.count); // the new program, in the place of the old one
 * link.info().ifindex;
 * link.unpin(); // ends it, once `link` is closed
 * ```
 *
 * @throws BpfError ENOENT when nothing is there, EACCES when it is no pin or not for this process, EINVAL when it is no link,
 *   ERR_BPF_LAYOUT when it is of another type than `type`.
 */
export function openLink(path: string, options?: OpenLinkOptions): OpenedLink;
/**
 * Opens a pinned link, of a type whose program the kernel exchanges: the answers of `info()` are of that type, and there is
 * `update()`. Linux 5.8.
 * @throws BpfError when there is none, or it is of another type (ERR_BPF_LAYOUT)
 */
export function openLink<Type extends UpdatableLinkType>(
  path: string,
  type: Type,
  options?: OpenLinkOptions,
): UpdatableOpenedLink<Type>;
export function openLink(path: string, type: 'struct_ops', options?: OpenLinkOptions): OpenedStructOpsLink;
/**
 * Opens a pinned link, of a certain type: the answers of `info()` are of that type. Linux 5.8.
 * @throws BpfError when there is none, or it is of another type (ERR_BPF_LAYOUT)
 */
export function openLink<Type extends LinkType>(
  path: string,
  type: Type,
  options?: OpenLinkOptions,
): OpenedLink<Type>;
export function openLink(
  path: string,
  typeOrOptions?: LinkType | OpenLinkOptions,
  options?: OpenLinkOptions,
): OpenedLink {
  const [type, kernel] = read(typeOrOptions, options);
  return adoptLink(kernel, openPin(kernel, 'link', path), path, type, path);
}

/**
 * Opens a link by the id that `info()` and bpftool show. As {@link openLink} otherwise. Needs CAP_SYS_ADMIN. Linux 5.8.
 *
 * @throws BpfError ENOENT when there is no such link, ERR_BPF_LAYOUT when it is of another type than `type`.
 */
export function openLinkById(id: number, options?: OpenLinkOptions): OpenedLink;
/**
 * Opens a link by its id, of a type whose program the kernel exchanges: the answers of `info()` are of that type, and there is
 * `update()`. Linux 5.8.
 * @throws BpfError when there is none, or it is of another type (ERR_BPF_LAYOUT)
 */
export function openLinkById<Type extends UpdatableLinkType>(
  id: number,
  type: Type,
  options?: OpenLinkOptions,
): UpdatableOpenedLink<Type>;
export function openLinkById(id: number, type: 'struct_ops', options?: OpenLinkOptions): OpenedStructOpsLink;
/**
 * Opens a link by its id, of a certain type: the answers of `info()` are of that type. Linux 5.8.
 * @throws BpfError when there is none, or it is of another type (ERR_BPF_LAYOUT)
 */
export function openLinkById<Type extends LinkType>(
  id: number,
  type: Type,
  options?: OpenLinkOptions,
): OpenedLink<Type>;
export function openLinkById(
  id: number,
  typeOrOptions?: LinkType | OpenLinkOptions,
  options?: OpenLinkOptions,
): OpenedLink {
  const [type, kernel] = read(typeOrOptions, options);
  return adoptLink(kernel, openId(kernel, id), `id ${id}`, type);
}

function openId(kernel: Kernel, id: number): Fd {
  // The kernel would be asked for a part of the number, and may have a link of that.
  if (!(Number.isInteger(id) && id > 0 && id <= 0xffffffff)) {
    throw new BpfError('ERR_BPF_ARGUMENT', `open link id ${id}: ids are whole numbers from 1 up`);
  }
  try {
    return kernel.linkById(id);
  } catch (error) {
    throw refusal(`open link id ${id}`, error, whyNoLink(kernel, error));
  }
}

function whyNoLink(kernel: Kernel, error: unknown): Reason | undefined {
  switch (errnoOf(error)) {
    case 'ENOENT':
      return { why: 'there is none' };
    case 'EPERM':
      return whyRefused(kernel, ['CAP_SYS_ADMIN']);
    default:
      return undefined;
  }
}

function read(
  typeOrOptions: LinkType | OpenLinkOptions | undefined,
  options: OpenLinkOptions | undefined,
): [type: LinkType | undefined, kernel: Kernel] {
  const named = typeof typeOrOptions === 'string';
  const { kernel } = (named ? options : typeOrOptions) ?? {};
  return [named ? typeOrOptions : undefined, kernel ?? linuxKernel()];
}
