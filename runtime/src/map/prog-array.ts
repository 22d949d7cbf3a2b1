import type { Fd } from '../kernel/kernel.js';
import { BPF_MAP_TYPE } from '../uapi.js';
import { count } from './count.js';
import { BpfMap, type MapHandle, type MapShape, mapKind } from './map.js';
import { indexError, updateError } from './map-error.js';

/**
 * BPF_MAP_TYPE_PROG_ARRAY: the programs that bpf_tail_call jumps to. The kernel empties it when its last descriptor is
 * closed and it is not pinned. Linux 4.2.
 */
export class ProgArray extends BpfMap implements Iterable<[number, number]> {
  readonly #key = new Uint8Array(4);
  readonly #value = new Uint8Array(4);
  readonly #keyView = new DataView(this.#key.buffer);
  readonly #valueView = new DataView(this.#value.buffer);

  get length(): number {
    return this.handle.maxEntries;
  }

  /** Id of the program in a slot, undefined when it is empty. (The kernel does not give a program back, only its id.) */
  get(index: number): number | undefined {
    this.#writeKey('get', index);
    return this.handle.kernel.mapLookup(this.handle.fd(), this.#key, this.#value)
      ? this.#valueView.getUint32(0, this.handle.kernel.littleEndian)
      : undefined;
  }

  /**
   * Puts a program, or the program behind a descriptor, into a slot.
   * @throws BpfError EINVAL when its type, or the way it was loaded, differs from that of the programs here.
   */
  set(index: number, program: { readonly fd: Fd } | Fd): this {
    this.#writeKey('set', index);
    const fd = typeof program === 'number' ? program : program.fd;
    this.#valueView.setUint32(0, fd, this.handle.kernel.littleEndian);
    try {
      this.handle.kernel.mapUpdate(this.handle.fd(), this.#key, this.#value);
    } catch (error) {
      throw updateError(this.handle, error, index);
    }
    return this;
  }

  /** Whether a slot holds a program. */
  has(index: number): boolean {
    return this.get(index) !== undefined;
  }

  /** Empties a slot: a tail call to it falls through. False when it was empty. */
  delete(index: number): boolean {
    this.#writeKey('delete', index);
    return this.handle.kernel.mapDelete(this.handle.fd(), this.#key);
  }

  /** Empties every slot. */
  clear(): void {
    for (let index = 0; index < this.length; index++) this.delete(index);
  }

  /** `[index, program id]` of the slots that hold a program, in order. */
  *entries(): Generator<[number, number], undefined> {
    for (let index = 0; index < this.length; index++) {
      const id = this.get(index);
      if (id !== undefined) yield [index, id];
    }
  }

  /** The slots that hold a program. */
  *keys(): Generator<number, undefined> {
    for (const [index] of this.entries()) yield index;
  }

  /** The ids of the programs in it. */
  *values(): Generator<number, undefined> {
    for (const [, id] of this.entries()) yield id;
  }

  /** Number of slots that hold a program, counted by asking for each. */
  get size(): number {
    return count(this.entries());
  }

  [Symbol.iterator](): Generator<[number, number], undefined> {
    return this.entries();
  }

  #writeKey(operation: string, index: number): void {
    if (!(Number.isInteger(index) && index >= 0 && index < this.handle.maxEntries)) {
      throw indexError(this.handle, operation, index);
    }
    this.#keyView.setUint32(0, index, this.handle.kernel.littleEndian);
  }
}

/** `progArray()`: a BPF_MAP_TYPE_PROG_ARRAY in a skeleton. */
export const progArray = mapKind(
  {
    kindName: 'progArray',
    types: [BPF_MAP_TYPE.PROG_ARRAY],
    codecs: [],
    open: (handle: MapHandle) => new ProgArray(handle),
  },
  (kind) => (): MapShape<ProgArray> => ({ kind }),
);
