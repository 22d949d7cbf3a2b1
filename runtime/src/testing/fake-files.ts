import type { FileFacts } from '../kernel/kernel.js';
import { Readable } from './readable.js';
import { refusal } from './refusal.js';

/** A file system in memory. What is not set exists only where `defaults` says so. */
export class FakeFiles {
  readonly #files = new Map<string, FakeFile | undefined>();
  readonly #defaults: (path: string) => string | undefined;
  readonly #inodes = new Map<string, bigint>();

  constructor(defaults: (path: string) => string | undefined) {
    this.#defaults = defaults;
  }

  /** Makes a file, or with undefined makes sure that there is none. */
  set(path: string, content: string | Uint8Array | undefined): void {
    this.#files.set(path, content === undefined ? undefined : new FakeFile(bytesOf(content)));
  }

  /** Adds to a file's end, and wakes those who wait for that. */
  append(path: string, content: string | Uint8Array): void {
    const file = this.find(path) ?? new FakeFile(new Uint8Array(0));
    this.#files.set(path, file);
    file.append(bytesOf(content));
  }

  find(path: string): FakeFile | undefined {
    if (this.#files.has(path)) return this.#files.get(path);
    const text = this.#defaults(path);
    if (text === undefined) return undefined;
    this.set(path, text);
    return this.#files.get(path);
  }

  /** What is at `path`: a file, or a directory that something lies in. */
  facts(path: string): FileFacts | undefined {
    const file = this.find(path);
    if (file === undefined && this.list(path) === undefined) return undefined;
    const kind = file === undefined ? 'directory' : 'file';
    const size = file?.bytes.length ?? 0;
    return { kind, size, inode: this.#inode(path), realPath: path, readable: true, executable: true };
  }

  #inode(path: string): bigint {
    const known = this.#inodes.get(path) ?? BigInt(this.#inodes.size + 2);
    this.#inodes.set(path, known);
    return known;
  }

  /** One write(2) to a control file that exists. */
  write(path: string, text: string, append: boolean): void {
    const file = this.find(path);
    if (file === undefined) throw refusal('open', 'ENOENT', path);
    if (append) file.append(bytesOf(text));
    else this.set(path, text);
  }

  /** Names of what was set below `path`, or undefined when nothing was. */
  list(path: string): string[] | undefined {
    const prefix = path.endsWith('/') ? path : `${path}/`;
    const below = [...this.#files].filter(([name, file]) => file !== undefined && name.startsWith(prefix));
    if (below.length === 0) return undefined;
    return [...new Set(below.map(([name]) => name.slice(prefix.length).split('/', 1)[0] ?? ''))].sort();
  }
}

/** A file's content, which only grows: readers keep their own place in it. */
export class FakeFile {
  bytes: Uint8Array;
  readonly #open = new Set<FakeOpenFile>();

  constructor(bytes: Uint8Array) {
    this.bytes = bytes;
  }

  open(): FakeOpenFile {
    const open: FakeOpenFile = new FakeOpenFile(this, () => this.#open.delete(open));
    this.#open.add(open);
    return open;
  }

  append(more: Uint8Array): void {
    const bytes = new Uint8Array(this.bytes.length + more.length);
    bytes.set(this.bytes);
    bytes.set(more, this.bytes.length);
    this.bytes = bytes;
    for (const open of this.#open) open.wake();
  }
}

/** An open file: its own place in the content. */
export class FakeOpenFile extends Readable {
  readonly #file: FakeFile;
  readonly close: () => void;
  #at = 0;

  constructor(file: FakeFile, close: () => void) {
    super();
    this.#file = file;
    this.close = close;
  }

  override readable(): boolean {
    return this.#at < this.#file.bytes.length;
  }

  readAt(buffer: Uint8Array, position: number): number {
    const bytes = this.#file.bytes.subarray(position, position + buffer.length);
    buffer.set(bytes);
    return bytes.length;
  }

  read(buffer: Uint8Array): number {
    const bytes = this.#file.bytes.subarray(this.#at, this.#at + buffer.length);
    buffer.set(bytes);
    this.#at += bytes.length;
    return bytes.length;
  }
}

export function bytesOf(content: string | Uint8Array): Uint8Array {
  return typeof content === 'string' ? new TextEncoder().encode(content) : content.slice();
}
