import { BPF_ATTACH_TYPE, BPF_LINK_TYPE } from '../uapi.js';

/** Sorts of links that the attach type tells, where one sort has many. */
const sorts: readonly (readonly [type: number, names: RegExp])[] = [
  [BPF_LINK_TYPE.CGROUP, /^(?:CGROUP_|LSM_CGROUP$)/],
  [BPF_LINK_TYPE.NETNS, /^(?:SK_LOOKUP|FLOW_DISSECTOR)$/],
  [BPF_LINK_TYPE.TCX, /^TCX_/],
  [BPF_LINK_TYPE.NETKIT, /^NETKIT_/],
  [BPF_LINK_TYPE.NETFILTER, /^NETFILTER$/],
  [BPF_LINK_TYPE.SOCKMAP, /^(?:SK_SKB_|SK_MSG_)/],
];

/** `enum bpf_link_type` by `enum bpf_attach_type`, for cgroups, network namespaces, devices and maps of sockets. */
export const linkTypes: ReadonlyMap<number, number> = new Map(
  Object.entries(BPF_ATTACH_TYPE).flatMap(([name, attachType]) =>
    sorts.filter(([, names]) => names.test(name)).map(([type]) => [attachType, type] as const),
  ),
);
