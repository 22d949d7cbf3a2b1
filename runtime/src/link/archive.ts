import { Reader } from '../bytes.js';
import { MalformedError, printable } from '../errors.js';
import type { Reason } from './attach-error.js';
import type { FileBytes } from './elf-file.js';
import { nearest } from './nearest.js';

/** Where a file lies in another one, bytes. */
export interface FilePart {
  readonly start: number;
  readonly size: number;
}

// The zip format: APPNOTE.TXT of PKWARE, 4.3.7, 4.3.12 and 4.3.16.
const END = { signature: 0x06054b50, size: 22 };
const ENTRY = { signature: 0x02014b50, size: 46 };
const LOCAL = { signature: 0x04034b50, size: 30 };
const LONGEST_COMMENT = 0xffff;
const ENCRYPTED = 1;
/** Bytes of the largest directory that is read: hundreds of thousands of names. */
const MOST_BYTES = 1 << 26;

/** An archive and a file in it, as `app.apk!/lib/libc++.so` names them; undefined for any other name. */
export function splitArchive(name: string): { archive: string; member: string } | undefined {
  const at = name.indexOf('!/');
  return at < 0 ? undefined : { archive: name.slice(0, at), member: name.slice(at + 2) };
}

/**
 * Finds a file in a zip archive, such as an APK, as libbpf's zip_archive_find_entry. Processes map it where it lies, which
 * takes one that is stored as it is. Throws MalformedError.
 */
export function findMember(file: FileBytes, name: string): FilePart | Reason {
  const directory = readDirectory(file);
  if (directory === undefined) return { why: 'this is no zip archive' };
  const { reader, count } = directory;
  const wanted = new TextEncoder().encode(name);
  const names: string[] = [];
  for (let at = 0, left = count; left > 0; left--) {
    expectSignature(reader, at, ENTRY.signature);
    const length = reader.u16(at + 28);
    const bytes = reader.slice(at + ENTRY.size, length);
    if (bytes.length === wanted.length && wanted.every((byte, index) => bytes[index] === byte)) {
      return partOf(file, reader, at, name);
    }
    names.push(new TextDecoder().decode(bytes));
    at += ENTRY.size + length + reader.u16(at + 30) + reader.u16(at + 32);
  }
  const similar = nearest(name, names).map((each) => printable(each));
  return {
    why: `the archive has no file ${printable(name)}`,
    ...(similar.length > 0 ? { hint: `Similar names: ${similar.join(', ')}` } : {}),
  };
}

/** The list of files stands at the end, before a comment of any length. */
function readDirectory(file: FileBytes): { reader: Reader; count: number } | undefined {
  const from = Math.max(0, file.size - END.size - LONGEST_COMMENT);
  const tail = new Reader(file.read(from, file.size - from), true, 'end of the archive');
  for (let at = tail.size - END.size; at >= 0; at--) {
    if (tail.u32(at) !== END.signature || at + END.size + tail.u16(at + 20) !== tail.size) continue;
    const count = tail.u16(at + 10);
    const size = tail.u32(at + 12);
    const offset = tail.u32(at + 16);
    if (tail.u32(at + 4) !== 0 || tail.u16(at + 8) !== count || count === 0xffff || size > MOST_BYTES) {
      throw new MalformedError(
        tail.label,
        at,
        'archives of several parts, or with so much in them, are not read',
      );
    }
    return { reader: read(file, offset, size, 'directory of the archive'), count };
  }
  return undefined;
}

function partOf(file: FileBytes, directory: Reader, at: number, name: string): FilePart | Reason {
  const method = directory.u16(at + 10);
  if ((directory.u16(at + 8) & ENCRYPTED) !== 0 || method !== 0) {
    return {
      why: `${printable(name)} is ${method === 0 ? 'encrypted' : 'compressed'} in the archive, and so runs from nowhere in it`,
      hint: 'Probe the file that it is unpacked to',
    };
  }
  const size = directory.u32(at + 20);
  const offset = directory.u32(at + 42);
  // The header before the contents has a name and extra fields of its own.
  const local = read(file, offset, LOCAL.size, 'file in the archive');
  expectSignature(local, 0, LOCAL.signature);
  const start = offset + LOCAL.size + local.u16(26) + local.u16(28);
  if (start + size > file.size) throw new MalformedError(local.label, 18, 'it ends behind the archive');
  return { start, size };
}

function read(file: FileBytes, offset: number, size: number, label: string): Reader {
  if (offset + size > file.size) throw new MalformedError(label, 0, 'it lies behind the end of the archive');
  return new Reader(file.read(offset, size), true, label);
}

function expectSignature(reader: Reader, at: number, signature: number): void {
  if (reader.u32(at) !== signature) throw new MalformedError(reader.label, at, 'there is no entry here');
}
