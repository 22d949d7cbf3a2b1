import { BPF_F_REPLACE, BPF_F_TOKEN_FD, BPF_F_VTYPE_BTF_OBJ_FD, BPF_OBJ_NAME_LEN } from '../uapi.js';
import { type AddressOf, Fields } from './fields.js';
import type {
  Fd,
  IterSubject,
  KprobeMulti,
  LinkCreate,
  MapBatch,
  MapCreate,
  MapWriteBatch,
} from './kernel.js';
import { programHash } from './program-hash.js';

/** Room for the largest command, so that a kernel that answers in the structure never writes past it. */
export const ATTR_SIZE = 192;

/** Byte offsets in `union bpf_attr` (include/uapi/linux/bpf.h) by command; a kernel test compares them with BTF. */
export const ATTR = {
  mapCreate: {
    map_type: 0,
    key_size: 4,
    value_size: 8,
    max_entries: 12,
    map_flags: 16,
    inner_map_fd: 20,
    numa_node: 24,
    map_name: 28,
    map_ifindex: 44,
    btf_fd: 48,
    btf_key_type_id: 52,
    btf_value_type_id: 56,
    btf_vmlinux_value_type_id: 60,
    map_extra: 64,
    value_type_btf_obj_fd: 72,
    map_token_fd: 76,
    excl_prog_hash: 80,
    excl_prog_hash_size: 88,
  },
  element: { map_fd: 0, key: 8, value: 16, flags: 24 },
  batch: {
    in_batch: 0,
    out_batch: 8,
    keys: 16,
    values: 24,
    count: 32,
    map_fd: 36,
    elem_flags: 40,
    flags: 48,
  },
  progLoad: {
    prog_type: 0,
    insn_cnt: 4,
    insns: 8,
    license: 16,
    log_level: 24,
    log_size: 28,
    log_buf: 32,
    kern_version: 40,
    prog_flags: 44,
    prog_name: 48,
    prog_ifindex: 64,
    expected_attach_type: 68,
    prog_btf_fd: 72,
    func_info_rec_size: 76,
    func_info: 80,
    func_info_cnt: 88,
    line_info_rec_size: 92,
    line_info: 96,
    line_info_cnt: 104,
    attach_btf_id: 108,
    attach_prog_fd: 112,
    attach_btf_obj_fd: 112,
    fd_array: 120,
    log_true_size: 140,
    prog_token_fd: 144,
  },
  object: { pathname: 0, bpf_fd: 8 },
  test: {
    prog_fd: 0,
    retval: 4,
    data_size_in: 8,
    data_size_out: 12,
    data_in: 16,
    data_out: 24,
    repeat: 32,
    duration: 36,
    ctx_size_in: 40,
    ctx_size_out: 44,
    ctx_in: 48,
    ctx_out: 56,
    flags: 64,
    cpu: 68,
    batch_size: 72,
  },
  info: { bpf_fd: 0, info_len: 4, info: 8 },
  nextId: { start_id: 0, next_id: 4 },
  rawTracepoint: { name: 0, prog_fd: 8, cookie: 16 },
  btfLoad: { btf: 0, btf_log_buf: 8, btf_size: 16, btf_log_size: 20, btf_log_level: 24 },
  linkCreate: {
    prog_fd: 0,
    target_fd: 4,
    target_ifindex: 4,
    attach_type: 8,
    flags: 12,
    target_btf_id: 16,
    perf_event_cookie: 16,
    tracing_target_btf_id: 16,
    tracing_cookie: 24,
    // Alike for tcx, netkit and cgroups.
    tcx_relative_fd: 16,
    tcx_expected_revision: 24,
    netfilter_pf: 16,
    netfilter_hooknum: 20,
    netfilter_priority: 24,
    netfilter_flags: 28,
    uprobe_multi_path: 16,
    uprobe_multi_offsets: 24,
    uprobe_multi_ref_ctr_offsets: 32,
    uprobe_multi_cookies: 40,
    uprobe_multi_cnt: 48,
    uprobe_multi_flags: 52,
    uprobe_multi_pid: 56,
    kprobe_multi_flags: 16,
    kprobe_multi_cnt: 20,
    kprobe_multi_syms: 24,
    kprobe_multi_addrs: 32,
    kprobe_multi_cookies: 40,
    iter_info: 16,
    iter_info_len: 24,
  },
  iterCreate: { link_fd: 0, flags: 4 },
  // Of struct_ops links, maps in the place of programs.
  linkUpdate: { link_fd: 0, new_prog_fd: 4, flags: 8, old_prog_fd: 12 },
  progQuery: {
    target_fd: 0,
    target_ifindex: 0,
    attach_type: 4,
    query_flags: 8,
    attach_flags: 12,
    prog_ids: 16,
    prog_cnt: 24,
    prog_attach_flags: 32,
    link_ids: 40,
    link_attach_flags: 48,
    revision: 56,
  },
  progBindMap: { prog_fd: 0, map_fd: 4 },
  progAssocStructOps: { map_fd: 0, prog_fd: 4, flags: 8 },
  progAttach: {
    target_fd: 0,
    attach_bpf_fd: 4,
    attach_type: 8,
    attach_flags: 12,
    replace_bpf_fd: 16,
    relative_fd: 20,
    expected_revision: 24,
  },
} as const;

/** The four fields every map element command shares, in a buffer that is reused from call to call. */
export class ElementAttr {
  /** Bytes of the structure the kernel is told. */
  static readonly size = 32;
  readonly bytes: Uint8Array = new Uint8Array(ElementAttr.size);
  readonly #u32 = new Uint32Array(this.bytes.buffer);
  readonly #u64 = new BigUint64Array(this.bytes.buffer);

  set(fd: Fd, key: bigint, value: bigint, flags: bigint): void {
    this.#u32[ATTR.element.map_fd / 4] = fd;
    this.#u64[ATTR.element.key / 8] = key;
    this.#u64[ATTR.element.value / 8] = value;
    this.#u64[ATTR.element.flags / 8] = flags;
  }
}

export function mapCreateAttr(map: MapCreate, addressOf?: AddressOf): Fields {
  const at = ATTR.mapCreate;
  const flags =
    (map.flags ?? 0) |
    (map.tokenFd === undefined ? 0 : BPF_F_TOKEN_FD) |
    (map.valueTypeBtfObjFd === undefined ? 0 : BPF_F_VTYPE_BTF_OBJ_FD);
  const hash = map.exclusiveProgram && programHash(map.exclusiveProgram);
  return new Fields(ATTR_SIZE, addressOf)
    .u32(at.map_type, map.type)
    .u32(at.key_size, map.keySize)
    .u32(at.value_size, map.valueSize)
    .u32(at.max_entries, map.maxEntries)
    .u32(at.map_flags, flags)
    .u32(at.inner_map_fd, map.innerMapFd)
    .u32(at.numa_node, map.numaNode)
    .name(at.map_name, BPF_OBJ_NAME_LEN, map.name)
    .u32(at.map_ifindex, map.ifindex)
    .u32(at.btf_fd, map.btfFd)
    .u32(at.btf_key_type_id, map.btfKeyTypeId)
    .u32(at.btf_value_type_id, map.btfValueTypeId)
    .u32(at.btf_vmlinux_value_type_id, map.btfVmlinuxValueTypeId)
    .u64(at.map_extra, map.mapExtra)
    .u32(at.value_type_btf_obj_fd, map.valueTypeBtfObjFd)
    .u32(at.map_token_fd, map.tokenFd)
    .pointer(at.excl_prog_hash, hash)
    .u32(at.excl_prog_hash_size, hash?.length);
}

/** `next` receives the cursor of the following batch. */
export function batchAttr(fd: Fd, batch: MapBatch, next: Uint8Array, addressOf: AddressOf): Fields {
  const at = ATTR.batch;
  return new Fields(ATTR_SIZE, addressOf)
    .pointer(at.in_batch, batch.cursor)
    .pointer(at.out_batch, next)
    .pointer(at.keys, batch.keys)
    .pointer(at.values, batch.values)
    .u32(at.count, batch.count)
    .u32(at.map_fd, fd)
    .u64(at.elem_flags, batch.flags);
}

/** BPF_MAP_UPDATE_BATCH, or BPF_MAP_DELETE_BATCH without `values`. The kernel writes how many it did into `count`. */
export function writeBatchAttr(
  fd: Fd,
  batch: Omit<MapWriteBatch, 'values'> & { readonly values?: Uint8Array },
  addressOf: AddressOf,
): Fields {
  const at = ATTR.batch;
  return new Fields(ATTR_SIZE, addressOf)
    .pointer(at.keys, batch.keys)
    .pointer(at.values, batch.values)
    .u32(at.count, batch.count)
    .u32(at.map_fd, fd)
    .u64(at.elem_flags, batch.flags);
}

export function linkCreateAttr(link: LinkCreate, addressOf?: AddressOf): Fields {
  const at = ATTR.linkCreate;
  const fields = new Fields(ATTR_SIZE, addressOf)
    .u32(at.prog_fd, link.prog)
    .u32(at.attach_type, link.attachType)
    .u32(at.flags, link.flags);
  if (link.target !== undefined) {
    if ('fd' in link.target) fields.u32(at.target_fd, link.target.fd);
    else fields.u32(at.target_ifindex, link.target.ifindex);
  }
  switch (link.options?.kind) {
    case 'perf_event':
      return fields.u64(at.perf_event_cookie, link.options.cookie);
    case 'tracing':
      return fields
        .u32(at.tracing_target_btf_id, link.options.targetBtfId)
        .u64(at.tracing_cookie, link.options.cookie);
    case 'ordered':
      return fields
        .u32(at.tcx_relative_fd, link.options.relative)
        .u64(at.tcx_expected_revision, link.options.expectedRevision);
    case 'netfilter':
      return fields
        .u32(at.netfilter_pf, link.options.family)
        .u32(at.netfilter_hooknum, link.options.hook)
        .u32(at.netfilter_priority, link.options.priority)
        .u32(at.netfilter_flags, link.options.flags);
    case 'iter':
      if (link.options.of === undefined) return fields;
      return fields.pointer(at.iter_info, iterInfo(link.options.of)).u32(at.iter_info_len, ITER_INFO_SIZE);
    case 'kprobe_multi':
      return kprobeMulti(fields, link.options);
    case 'uprobe_multi':
      return fields
        .string(at.uprobe_multi_path, link.options.path)
        .pointer(at.uprobe_multi_offsets, words(link.options.offsets))
        .pointer(at.uprobe_multi_ref_ctr_offsets, words(link.options.refCtrOffsets))
        .pointer(at.uprobe_multi_cookies, words(link.options.cookies))
        .u32(at.uprobe_multi_cnt, link.options.offsets.length)
        .u32(at.uprobe_multi_flags, link.options.flags)
        .u32(at.uprobe_multi_pid, link.options.pid);
    default:
      return fields;
  }
}

/** `union bpf_iter_link_info`. */
const ITER_INFO_SIZE = 16;

function iterInfo(of: IterSubject): Uint8Array {
  const info = new Fields(ITER_INFO_SIZE);
  if ('map' in of) return info.u32(0, of.map).bytes;
  if ('order' in of) return info.u32(0, of.order).u32(4, of.cgroup).u64(8, of.cgroupId).bytes;
  return info.u32(0, of.tid).u32(4, of.pid).u32(8, of.pidfd).bytes;
}

/** A C array of 64-bit numbers. */
function words(values: readonly bigint[] | undefined): Uint8Array | undefined {
  return values && new Uint8Array(BigUint64Array.from(values).buffer);
}

function kprobeMulti(fields: Fields, { functions, cookies, flags }: KprobeMulti): Fields {
  const at = ATTR.linkCreate;
  fields.u32(at.kprobe_multi_flags, flags).u64s(at.kprobe_multi_cookies, cookies);
  return 'symbols' in functions
    ? fields
        .u32(at.kprobe_multi_cnt, functions.symbols.length)
        .strings(at.kprobe_multi_syms, functions.symbols)
    : fields
        .u32(at.kprobe_multi_cnt, functions.addresses.length)
        .u64s(at.kprobe_multi_addrs, functions.addresses);
}

/** With `expected` it is refused unless that is what the link holds. */
export function linkUpdateAttr(link: Fd, prog: Fd, expected?: Fd): Fields {
  const at = ATTR.linkUpdate;
  return new Fields(ATTR_SIZE)
    .u32(at.link_fd, link)
    .u32(at.new_prog_fd, prog)
    .u32(at.flags, expected === undefined ? 0 : BPF_F_REPLACE)
    .u32(at.old_prog_fd, expected);
}

/** BPF_ITER_CREATE. */
export function iterCreateAttr(link: Fd): Fields {
  return new Fields(ATTR_SIZE).u32(ATTR.iterCreate.link_fd, link);
}

export function progBindMapAttr(prog: Fd, map: Fd): Fields {
  return new Fields(ATTR_SIZE).u32(ATTR.progBindMap.prog_fd, prog).u32(ATTR.progBindMap.map_fd, map);
}

export function progAssocStructOpsAttr(prog: Fd, map: Fd): Fields {
  const at = ATTR.progAssocStructOps;
  return new Fields(ATTR_SIZE).u32(at.map_fd, map).u32(at.prog_fd, prog);
}

export function rawTracepointAttr(
  prog: Fd,
  name: string | undefined,
  addressOf: AddressOf,
  cookie?: bigint,
): Fields {
  return new Fields(ATTR_SIZE, addressOf)
    .string(ATTR.rawTracepoint.name, name)
    .u32(ATTR.rawTracepoint.prog_fd, prog)
    .u64(ATTR.rawTracepoint.cookie, cookie);
}

/** BPF_OBJ_PIN, or BPF_OBJ_GET without `fd`. */
export function objectAttr(path: string, fd: Fd | undefined, addressOf: AddressOf): Fields {
  return new Fields(ATTR_SIZE, addressOf).string(ATTR.object.pathname, path).u32(ATTR.object.bpf_fd, fd);
}

/** Commands that take one number in the first field: MAP_FREEZE, LINK_DETACH, *_GET_FD_BY_ID. */
export function singleAttr(value: number): Fields {
  return new Fields(ATTR_SIZE).u32(0, value);
}

export function infoAttr(fd: Fd, info: Fields, addressOf: AddressOf): Fields {
  return new Fields(ATTR_SIZE, addressOf)
    .u32(ATTR.info.bpf_fd, fd)
    .u32(ATTR.info.info_len, info.bytes.length)
    .pointer(ATTR.info.info, info.bytes);
}

/** The answer of BPF_BTF_GET_NEXT_ID and its like. */
export function readNextId(attr: Fields): number {
  return attr.readU32(ATTR.nextId.next_id);
}
