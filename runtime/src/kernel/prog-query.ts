import { BPF_F_QUERY_EFFECTIVE, kernelVersion } from '../uapi.js';
import { ATTR } from './attr.js';
import { Bpf } from './bpf.js';
import { ERRNO } from './errno.js';
import { type AddressOf, Fields } from './fields.js';
import type { Kernel, ProgQuery, ProgQueryResult, QueriedProgram } from './kernel.js';
import type { Libc } from './libc.js';

/** Most hooks have fewer; tcx and netkit take no more (bpf_mprog_max). */
const EXPECTED_PROGRAMS = 64;
/** 64 in each cgroup of a path; any more is no answer of a kernel. */
const MOST_PROGRAMS = 1 << 20;
/** Programs may be attached between two questions, but not for ever. */
const ATTEMPTS = 8;

/** Where the kernel writes its answer, one element for each program. */
export interface QueryBuffers {
  readonly ids: Uint32Array;
  /** Undefined for kernels that refuse them, so that the field stays 0. */
  readonly flags: Uint32Array | undefined;
  readonly links: Uint32Array | undefined;
}

export function queryCalls(libc: Libc, version: number): Pick<Kernel, 'progQuery'> {
  const bpf = new Bpf(libc);
  return {
    progQuery(query) {
      let count = EXPECTED_PROGRAMS;
      for (let left = ATTEMPTS; ; left--) {
        const buffers = queryBuffers(query, count, version);
        const attr = progQueryAttr(query, buffers, bpf.addressOf);
        if (bpf.attempt('PROG_QUERY', attr) >= 0) return readProgQuery(attr, buffers);
        if (libc.errno() !== ERRNO.ENOSPC || left === 1) throw bpf.refusal('PROG_QUERY');
        // More than there are now: some may come before the next question.
        count = Math.min(2 * attr.readU32(ATTR.progQuery.prog_cnt), MOST_PROGRAMS);
      }
    },
  };
}

/** Room for `count` programs and what this kernel tells of them. */
export function queryBuffers({ flags = 0 }: ProgQuery, count: number, version: number): QueryBuffers {
  const effective = (flags & BPF_F_QUERY_EFFECTIVE) !== 0;
  return {
    ids: new Uint32Array(count),
    flags: version >= kernelVersion(6, 0) && !effective ? new Uint32Array(count) : undefined,
    links: version >= kernelVersion(6, 6) ? new Uint32Array(count) : undefined,
  };
}

export function progQueryAttr(query: ProgQuery, buffers: QueryBuffers, addressOf: AddressOf): Fields {
  const at = ATTR.progQuery;
  const { target } = query;
  return (
    new Fields(ATTR_SIZE, addressOf)
      .u32(at.target_fd, 'fd' in target ? target.fd : target.ifindex)
      .u32(at.attach_type, query.attachType)
      .u32(at.query_flags, query.flags)
      .pointer(at.prog_ids, bytesOf(buffers.ids))
      .u32(at.prog_cnt, buffers.ids.length)
      .pointer(at.prog_attach_flags, bytesOf(buffers.flags))
      .pointer(at.link_ids, bytesOf(buffers.links))
      // Cgroups tell the revision only to those who have room for it.
      .upTo(at.revision + 8)
  );
}

/** Room beyond the command's last field, for kernels that answer more. */
const ATTR_SIZE = 128;

export function readProgQuery(attr: Fields, { ids, flags, links }: QueryBuffers): ProgQueryResult {
  const at = ATTR.progQuery;
  const count = Math.min(attr.readU32(at.prog_cnt), ids.length);
  const programs = Array.from(
    ids.subarray(0, count),
    (id, index): QueriedProgram => ({ id, linkId: links?.[index] ?? 0, flags: flags?.[index] ?? 0 }),
  );
  return { flags: attr.readU32(at.attach_flags), revision: attr.readU64(at.revision), programs };
}

function bytesOf(array: Uint32Array | undefined): Uint8Array | undefined {
  return array === undefined ? undefined : new Uint8Array(array.buffer, array.byteOffset, array.byteLength);
}
