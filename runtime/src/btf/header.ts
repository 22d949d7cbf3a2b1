import { Reader } from '../bytes.js';
import { MalformedError } from '../errors.js';

/** Where BTF's two tables lie, in bytes from the start of the blob. */
export interface BtfTables {
  readonly littleEndian: boolean;
  readonly typesStart: number;
  readonly typesSize: number;
  readonly stringsStart: number;
  readonly stringsSize: number;
}

export const BTF_MAGIC = 0xeb9f;

/** Byte order of a BTF or .BTF.ext blob, from its magic. */
export function byteOrder(bytes: Uint8Array, label: string): boolean {
  if (bytes[0] === 0x9f && bytes[1] === 0xeb) return true;
  if (bytes[0] === 0xeb && bytes[1] === 0x9f) return false;
  throw new MalformedError(label, 0, 'it does not begin with the BTF magic number');
}

/**
 * Reads the header of a BTF blob. Offsets count from the end of the header, whatever its length: what newer
 * headers add is skipped. Same demands as libbpf's btf_parse_hdr and btf_parse_str_sec.
 */
export function readTables(bytes: Uint8Array, label: string, split: boolean): BtfTables {
  const littleEndian = byteOrder(bytes, label);
  const reader = new Reader(bytes, littleEndian, label);
  const version = reader.u8(2);
  if (version !== 1) throw new MalformedError(label, 2, `BTF version ${version} is not known, only 1 is`);
  const headerSize = reader.u32(4);
  if (headerSize < 24 || headerSize > bytes.length) {
    throw new MalformedError(label, 4, `header length ${headerSize} is not between 24 and ${bytes.length}`);
  }
  const [typesOffset, typesSize] = [reader.u32(8), reader.u32(12)];
  const [stringsOffset, stringsSize] = [reader.u32(16), reader.u32(20)];
  if (typesOffset % 4 !== 0) throw new MalformedError(label, 8, 'the type table is not aligned to 4 bytes');
  if (typesOffset + typesSize > stringsOffset) {
    throw new MalformedError(label, 12, 'the type table overlaps the string table');
  }
  if (headerSize + stringsOffset + stringsSize > bytes.length) {
    throw new MalformedError(label, 20, `the string table ends after the ${bytes.length} bytes there are`);
  }
  const stringsStart = headerSize + stringsOffset;
  if (!(split && stringsSize === 0)) {
    if (stringsSize === 0) throw new MalformedError(label, 20, 'the string table is empty');
    if (bytes[stringsStart + stringsSize - 1] !== 0) {
      throw new MalformedError(label, stringsStart + stringsSize - 1, 'the last string has no end');
    }
    if (!split && bytes[stringsStart] !== 0) {
      throw new MalformedError(label, stringsStart, 'the first string is not empty');
    }
  }
  return { littleEndian, typesStart: headerSize + typesOffset, typesSize, stringsStart, stringsSize };
}
