import type { Fd, LinkCreate } from '../kernel/kernel.js';
import { BPF_F_AFTER, BPF_F_BEFORE, BPF_F_ID, BPF_F_LINK, BPF_LINK_TYPE } from '../uapi.js';
import type { Descriptors, FakeLink } from './descriptors.js';
import { linkTypes } from './link-types.js';
import { refusal } from './refusal.js';

type Order = Extract<LinkCreate['options'], { kind: 'ordered' }>;

/**
 * Where a program goes among those of its hook, as an index into `there`: the rules of tcx and netkit (bpf_mprog_attach
 * of the kernel), and of cgroups (get_prog_list), which take a program several times.
 */
export function placeIn(
  there: readonly FakeLink[],
  { program, attachType, flags }: Pick<FakeLink, 'program' | 'attachType' | 'flags'>,
  order: Pick<Order, 'relative'>,
  descriptors: Descriptors,
): number {
  const syscall = 'bpf(BPF_LINK_CREATE)';
  const isCgroup = linkTypes.get(attachType) === BPF_LINK_TYPE.CGROUP;
  if (!isCgroup && there.some((link) => link.program === program)) throw refusal(syscall, 'EEXIST');
  const isBefore = (flags & BPF_F_BEFORE) !== 0;
  const { relative = 0 } = order;
  const named = relative !== 0 || (flags & BPF_F_ID) !== 0;
  if (!isBefore && (flags & BPF_F_AFTER) === 0) {
    if (named || (!isCgroup && flags !== 0)) throw refusal(syscall, 'EINVAL');
    return there.length;
  }
  if (!named) return isBefore ? 0 : there.length;
  const index = there.findIndex((link) => isAnchor(link, flags, relative, descriptors));
  if (index < 0) throw refusal(syscall, 'ENOENT');
  return isBefore ? index : index + 1;
}

function isAnchor(link: FakeLink, flags: number, relative: Fd, descriptors: Descriptors): boolean {
  const syscall = 'bpf(BPF_LINK_CREATE)';
  if ((flags & BPF_F_LINK) === 0) {
    // Programs of cgroups are found by themselves only where no link holds them.
    if (linkTypes.get(link.attachType) === BPF_LINK_TYPE.CGROUP && link.via === 'link') return false;
    if ((flags & BPF_F_ID) !== 0) return link.program.id === relative;
    return link.program === descriptors.get(relative, 'program', syscall).program;
  }
  if ((flags & BPF_F_ID) !== 0) return link.id === relative;
  return link === descriptors.get(relative, 'link', syscall).link;
}
