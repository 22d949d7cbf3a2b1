import { alignUp } from '../bytes.js';
import { BpfError, printable } from '../errors.js';
import type { Mapping } from '../kernel/kernel.js';
import { BPF_F_MMAPABLE } from '../uapi.js';
import type { MapHandle } from './map.js';

/** The bytes of a global data section in the kernel. */
export interface DataMemory {
  /** False for frozen sections, whose memory must not be written to. */
  readonly writable: boolean;
  readonly closed: boolean;
  /** Bytes of the section. */
  readonly size: number;
  /**
   * The section's bytes as they are now. What is written through the view reaches the kernel with `flush()` at the
   * latest. Take a new view for every access.
   * @throws BpfError ERR_BPF_STATE once closed.
   */
  view(): DataView;
  flush(): void;
  /** Gives the memory back. Idempotent; views taken before stay safe to read. */
  close(): void;
}

/**
 * Opens the value of a one-element array map, as `.bss`, `.data` and `.rodata` are. The memory is shared with the
 * kernel where the map is BPF_F_MMAPABLE (Linux 5.5); on older kernels every access is a system call. It closes with
 * the map's object.
 */
export function openMemory(handle: MapHandle, writable: boolean): DataMemory {
  const memory =
    (handle.flags & BPF_F_MMAPABLE) === 0 ? new CopiedMemory(handle, writable) : mapMemory(handle, writable);
  handle.onClose(() => memory.close());
  return memory;
}

function mapMemory(handle: MapHandle, writable: boolean): MappedMemory {
  const { kernel, name, valueSize, maxEntries } = handle;
  const mapping = kernel.mmap(handle.fd(), 0, mappedSize(valueSize, maxEntries, kernel.pageSize), writable);
  // What pads the last page belongs to nobody: out of the view.
  return new MappedMemory(name, mapping, alignUp(valueSize, 8) * (maxEntries - 1) + valueSize, writable);
}

/** Bytes of the mapping of an array map: the kernel gives every element a multiple of 8 bytes (libbpf: array_map_mmap_sz). */
export function mappedSize(valueSize: number, maxEntries: number, pageSize: number): number {
  return alignUp(alignUp(valueSize, 8) * maxEntries, pageSize);
}

/** Memory shared with the kernel, an array map's or an arena's. No system call to read or write. */
export class MappedMemory implements DataMemory {
  readonly writable: boolean;
  readonly size: number;
  readonly #name: string;
  readonly #mapping: Mapping;
  readonly #view: DataView;
  #closed = false;

  /** @param length bytes at the start of `mapping`, which this owns from now on */
  constructor(name: string, mapping: Mapping, length: number, writable: boolean) {
    this.writable = writable;
    this.size = length;
    this.#name = name;
    this.#mapping = mapping;
    this.#view = new DataView(mapping.buffer, 0, length);
  }

  get closed(): boolean {
    return this.#closed;
  }

  view(): DataView {
    if (this.#closed) throw closedMemory(this.#name);
    return this.#view;
  }

  flush(): void {
    // The kernel sees a write when it is made.
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#mapping.close();
  }
}

/** Memory of a one-element array map on kernels that cannot share it: looked up at `view()`, written at `flush()`. */
export class CopiedMemory implements DataMemory {
  readonly writable: boolean;
  readonly size: number;
  readonly #handle: MapHandle;
  readonly #key = new Uint8Array(4);
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  #closed = false;

  constructor(handle: MapHandle, writable: boolean) {
    this.writable = writable;
    this.size = handle.valueSize;
    this.#handle = handle;
    this.#bytes = new Uint8Array(handle.valueSize);
    this.#view = new DataView(this.#bytes.buffer);
  }

  get closed(): boolean {
    return this.#closed;
  }

  view(): DataView {
    if (this.#closed) throw closedMemory(this.#handle.name);
    this.#handle.kernel.mapLookup(this.#handle.fd(), this.#key, this.#bytes);
    return this.#view;
  }

  flush(): void {
    if (this.#closed) throw closedMemory(this.#handle.name);
    this.#handle.kernel.mapUpdate(this.#handle.fd(), this.#key, this.#bytes);
  }

  close(): void {
    this.#closed = true;
  }
}

function closedMemory(name: string): BpfError {
  return new BpfError('ERR_BPF_STATE', `access ${printable(name)}: its object is destroyed`);
}
