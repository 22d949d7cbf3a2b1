/** A file of an archive: its bytes as they are, unless `method` or `flags` claim otherwise. */
export interface ZipFile {
  readonly name: string;
  readonly bytes: Uint8Array;
  readonly method?: number;
  readonly flags?: number;
}

/** A zip archive (APPNOTE.TXT, 4.3.7, 4.3.12, 4.3.16), and where the contents of each file begin in it. */
export function zipArchive(files: readonly ZipFile[], comment = ''): { bytes: Uint8Array; starts: number[] } {
  const parts: Buffer[] = [];
  const directory: Buffer[] = [];
  const starts: number[] = [];
  let at = 0;
  const add = (part: Uint8Array) => {
    parts.push(Buffer.from(part));
    at += part.length;
  };
  for (const { name, bytes, method = 0, flags = 0 } of files) {
    const offset = at;
    // Both headers have extra fields, of other lengths, as archivers write them.
    add(header(0x04034b50, [20, flags, method, 0, 0], [0, bytes.length, bytes.length], [name.length, 5]));
    add(Buffer.from(`${name}extra`));
    starts.push(at);
    add(bytes);
    directory.push(
      header(
        0x02014b50,
        [20, 20, flags, method, 0, 0],
        [0, bytes.length, bytes.length],
        [name.length, 3, 4, 0, 0],
        [0, offset],
      ),
      Buffer.from(`${name}abcnote`),
    );
  }
  const list = Buffer.concat(directory);
  const end = header(
    0x06054b50,
    [0, 0, files.length, files.length],
    [list.length, at],
    [Buffer.byteLength(comment)],
  );
  return { bytes: Buffer.concat([...parts, list, end, Buffer.from(comment)]), starts };
}

/** A signature, and then 16- and 32-bit fields in turn. */
function header(signature: number, ...groups: readonly (readonly number[])[]): Buffer {
  const wide = (value: number) => [value & 0xff, (value >> 8) & 0xff, (value >> 16) & 0xff, value >>> 24];
  const fields = groups.flatMap((group, index) =>
    group.flatMap((value) => (index % 2 === 0 ? wide(value).slice(0, 2) : wide(value))),
  );
  return Buffer.from([...wide(signature), ...fields]);
}
