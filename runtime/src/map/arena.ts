import type { Codec } from '../codec/codec.js';
import { sizeOf, writeWithin } from '../codec/struct.js';
import { BpfError } from '../errors.js';
import type { Mapping } from '../kernel/kernel.js';
import { BPF_MAP_TYPE } from '../uapi.js';
import { BpfMap, type MapHandle, type MapShape, mapKind } from './map.js';
import { mapText, operationError } from './map-error.js';

/**
 * BPF_MAP_TYPE_ARENA: memory that programs and this process share, of up to 4 GiB, in which a pointer means the same to
 * both. A page comes into being when a program allocates it (bpf_arena_alloc_pages) or this process first touches it;
 * with BPF_F_SEGV_ON_FAULT touching a page that no program allocated ends the process. Linux 6.9.
 */
export class Arena extends BpfMap {
  #mapping: Mapping | undefined;

  constructor(handle: MapHandle) {
    super(handle);
    this.#mapping = handle.arena;
  }

  /** Where it begins: the pointers that programs keep in it count from here. */
  get address(): bigint {
    return this.#memory().address;
  }

  /** Bytes. */
  get byteLength(): number {
    return this.maxEntries * this.handle.kernel.pageSize;
  }

  /** All of it. It reads as zeros once the map's object is destroyed. */
  get memory(): DataView {
    return new DataView(this.#memory().buffer, 0, this.byteLength);
  }

  /** The `length` bytes that a pointer points at. @throws BpfError ERR_BPF_RANGE when they are not all in the arena. */
  view(pointer: bigint, length: number): DataView {
    return new DataView(this.#memory().buffer, this.#offset(pointer, length), length);
  }

  /** The value that a pointer points at. @throws BpfError ERR_BPF_RANGE when it is not all in the arena. */
  read<T>(pointer: bigint, codec: Codec<T>): T {
    const offset = this.#offset(pointer, codec.size);
    return codec.read(this.memory, offset, offset + codec.size);
  }

  /** Writes the value that a pointer points at; padding keeps what it has. */
  write<T>(pointer: bigint, codec: Codec<T>, value: T): this {
    const size = sizeOf(codec, value);
    writeWithin(codec, this.memory, this.#offset(pointer, size), size, value);
    return this;
  }

  #offset(pointer: bigint, length: number): number {
    const { address } = this.#memory();
    const offset = Number(BigInt.asUintN(64, pointer) - address);
    if (offset >= 0 && offset + length <= this.byteLength) return offset;
    const end = address + BigInt(this.byteLength);
    throw new BpfError(
      'ERR_BPF_RANGE',
      `point into ${mapText(this.handle)}: ${length} bytes at 0x${BigInt.asUintN(64, pointer).toString(16)} are not in the arena, which lies from 0x${address.toString(16)} to 0x${end.toString(16)}`,
    );
  }

  #memory(): Mapping {
    // Throws once the object is destroyed.
    const fd = this.handle.fd();
    if (this.#mapping !== undefined) return this.#mapping;
    const { kernel, mapExtra = 0n } = this.handle;
    let mapping: Mapping;
    try {
      mapping = kernel.mmap(fd, 0, this.byteLength, true, mapExtra === 0n ? undefined : mapExtra);
    } catch (error) {
      throw operationError(this.handle, error, 'share the memory of');
    }
    this.handle.onClose(() => mapping.close());
    this.#mapping = mapping;
    return mapping;
  }
}

/** `arena()`: a BPF_MAP_TYPE_ARENA in a skeleton. */
export const arena = mapKind(
  {
    kindName: 'arena',
    types: [BPF_MAP_TYPE.ARENA],
    codecs: [],
    open: (handle) => new Arena(handle),
  },
  (kind) => (): MapShape<Arena> => ({ kind }),
);
