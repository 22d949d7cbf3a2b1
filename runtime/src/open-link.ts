import type { Kernel, LinkType } from './kernel/kernel.js';
import { linuxKernel } from './kernel/linux.js';
import {
  adoptLink,
  type OpenedLink,
  type OpenedStructOpsLink,
  type UpdatableLinkType,
  type UpdatableOpenedLink,
} from './link/opened-link.js';
import { openId, openPin } from './link/pin.js';

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
  return adoptLink(kernel, openId(kernel, 'link', id), `id ${id}`, type);
}

function read(
  typeOrOptions: LinkType | OpenLinkOptions | undefined,
  options: OpenLinkOptions | undefined,
): [type: LinkType | undefined, kernel: Kernel] {
  const named = typeof typeOrOptions === 'string';
  const { kernel } = (named ? options : typeOrOptions) ?? {};
  return [named ? typeOrOptions : undefined, kernel ?? linuxKernel()];
}
