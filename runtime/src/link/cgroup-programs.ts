import type { Fd, Kernel, ProgQueryResult } from '../kernel/kernel.js';
import { BPF_F_ALLOW_MULTI, BPF_F_ALLOW_OVERRIDE, BPF_F_QUERY_EFFECTIVE } from '../uapi.js';
import { type AttachedProgram, withNames } from './program-name.js';

/**
 * How a program shares its place in a cgroup with others. `multi`: any number of them there, and those of the ancestors
 * run too. `override`: one, and one in a descendant takes its place there. `single`: one, and descendants may have none.
 */
export type CgroupMode = 'multi' | 'override' | 'single';

export const modeFlags: Readonly<Record<CgroupMode, number>> = {
  multi: BPF_F_ALLOW_MULTI,
  override: BPF_F_ALLOW_OVERRIDE,
  single: 0,
};

/** The programs of one kind in a cgroup. */
export interface CgroupPrograms {
  /** How those that are attached share the cgroup; undefined when there are none. */
  readonly mode: CgroupMode | undefined;
  /** Attached to this cgroup, in the order they run. */
  readonly attached: readonly AttachedProgram[];
  /** What runs for its processes: also programs of its ancestors. */
  readonly effective: readonly AttachedProgram[];
  /** Goes up with every change of `attached`, for `expectedRevision`; 0 before Linux 6.17. */
  readonly revision: bigint;
}

export function queryCgroup(kernel: Kernel, cgroup: Fd, attachType: number): CgroupPrograms {
  const query = { target: { fd: cgroup }, attachType };
  const attached = kernel.progQuery(query);
  const effective = kernel.progQuery({ ...query, flags: BPF_F_QUERY_EFFECTIVE });
  return {
    mode: modeOf(attached),
    attached: withNames(kernel, attached),
    effective: withNames(kernel, effective),
    revision: attached.revision,
  };
}

/** Undefined when there are no programs. */
export function modeOf({ flags, programs }: ProgQueryResult): CgroupMode | undefined {
  const [first] = programs;
  if (first === undefined) return undefined;
  // Those of LSM hooks share no flags, each has its own.
  const both = flags | first.flags;
  if ((both & BPF_F_ALLOW_MULTI) !== 0) return 'multi';
  return (both & BPF_F_ALLOW_OVERRIDE) !== 0 ? 'override' : 'single';
}
