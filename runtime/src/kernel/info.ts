import { BPF_OBJ_NAME_LEN, BPF_TAG_SIZE } from '../uapi.js';
import { type AddressOf, Fields } from './fields.js';
import type { BtfObject, MapInfo, ProgInfo } from './kernel.js';

/** Byte offsets in what BPF_OBJ_GET_INFO_BY_FD answers. */
export const INFO = {
  map: {
    type: 0,
    id: 4,
    key_size: 8,
    value_size: 12,
    max_entries: 16,
    map_flags: 20,
    name: 24,
    btf_id: 64,
    map_extra: 80,
  },
  prog: {
    type: 0,
    id: 4,
    tag: 8,
    jited_prog_len: 16,
    xlated_prog_len: 20,
    nr_map_ids: 52,
    map_ids: 56,
    name: 64,
    btf_id: 128,
    verified_insns: 216,
  },
  btf: { btf: 0, btf_size: 8, id: 12, name: 16, name_len: 24, kernel_btf: 28 },
} as const;

/** A zeroed answer buffer: newer kernels fill more than is read here, older ones less. */
export function infoFields(addressOf?: AddressOf): Fields {
  return new Fields(256, addressOf);
}

export function readMapInfo(info: Fields): MapInfo {
  const at = INFO.map;
  return {
    type: info.readU32(at.type),
    id: info.readU32(at.id),
    keySize: info.readU32(at.key_size),
    valueSize: info.readU32(at.value_size),
    maxEntries: info.readU32(at.max_entries),
    flags: info.readU32(at.map_flags),
    name: info.readName(at.name, BPF_OBJ_NAME_LEN),
    btfId: info.readU32(at.btf_id),
    mapExtra: info.readU64(at.map_extra),
  };
}

export function readProgInfo(info: Fields, mapIds: readonly number[]): ProgInfo {
  const at = INFO.prog;
  return {
    type: info.readU32(at.type),
    id: info.readU32(at.id),
    name: info.readName(at.name, BPF_OBJ_NAME_LEN),
    tag: hex(info.bytes.subarray(at.tag, at.tag + BPF_TAG_SIZE)),
    xlatedSize: info.readU32(at.xlated_prog_len),
    jitedSize: info.readU32(at.jited_prog_len),
    verifiedInsns: info.readU32(at.verified_insns),
    mapIds,
    btfId: info.readU32(at.btf_id),
  };
}

export function readBtfInfo(info: Fields, name: Uint8Array): BtfObject {
  const at = INFO.btf;
  const end = name.indexOf(0);
  return {
    id: info.readU32(at.id),
    name: new TextDecoder().decode(end < 0 ? name : name.subarray(0, end)),
    kernel: info.readU32(at.kernel_btf) !== 0,
  };
}

function hex(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('');
}
