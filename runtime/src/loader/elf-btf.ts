import { Reader } from '../bytes.js';
import { BpfError, MalformedError } from '../errors.js';

const EHDR64_SIZE = 0x40;
const SHN_XINDEX = 0xffff;
const SHT_NOBITS = 8;

/** True for bytes that begin as every ELF file does. */
export function isElf(bytes: Uint8Array): boolean {
  return bytes[0] === 0x7f && bytes[1] === 0x45 && bytes[2] === 0x4c && bytes[3] === 0x46;
}

/**
 * The `.BTF` section of an ELF file of any machine: a vmlinux, a module, a BPF object. Throws BpfError when it has none
 * and MalformedError when the file is broken.
 */
export function btfSection(bytes: Uint8Array, label: string): Uint8Array {
  const reader = new Reader(bytes, bytes[5] === 1, label);
  if (reader.size < EHDR64_SIZE || bytes[4] !== 2) {
    throw new MalformedError(label, 4, 'it is no 64-bit ELF file');
  }
  const table = reader.length64(0x28);
  const stride = reader.u16(0x3a);
  // Files with very many sections keep the two numbers in the first section header.
  const count = reader.u16(0x3c) || reader.length64(table + 0x20);
  const names = reader.u16(0x3e) === SHN_XINDEX ? reader.u32(table + 0x28) : reader.u16(0x3e);
  if (stride < 0x40 || table + count * stride > reader.size || names >= count) {
    throw new MalformedError(label, 0x28, 'the section headers lie outside the file');
  }
  const nameTable = reader.length64(table + names * stride + 0x18);
  for (let header = table; header < table + count * stride; header += stride) {
    const name = nameTable + reader.u32(header);
    if (!isBtfName(bytes, name) || reader.u32(header + 4) === SHT_NOBITS) continue;
    return reader.slice(reader.length64(header + 0x18), reader.length64(header + 0x20));
  }
  throw new BpfError('ERR_BPF_NO_BTF', `${label} has no section .BTF`);
}

function isBtfName(bytes: Uint8Array, at: number): boolean {
  return [0x2e, 0x42, 0x54, 0x46, 0].every((byte, i) => bytes[at + i] === byte);
}
