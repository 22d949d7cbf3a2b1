import type { Codec } from '../codec/codec.js';
import { BPF_ANY, BPF_EXIST } from '../uapi.js';
import { BpfMap, type MapHandle } from './map.js';
import { mapText, operationError, updateError, writeError } from './map-error.js';
import { raw } from './raw.js';

/** How push() treats a map that is full. */
export interface PushOptions {
  /** True drops the oldest element to make room (BPF_EXIST). By default a full map refuses. */
  readonly evict?: boolean;
}

/** A map without keys, whose values go in and come out in an order: queues and stacks. Linux 4.20. */
export abstract class PushedMap<V> extends BpfMap {
  readonly #value: Codec<V>;
  readonly #bytes: Uint8Array;
  readonly #view: DataView;

  constructor(handle: MapHandle, value: Codec<V>) {
    super(handle);
    this.#value = value;
    this.#bytes = new Uint8Array(handle.valueSize);
    this.#view = new DataView(this.#bytes.buffer);
  }

  /**
   * Adds an element; padding is written as zero.
   * @throws BpfError E2BIG when the map is full.
   */
  push(value: V, options?: PushOptions): this {
    this.#bytes.fill(0);
    this.#value.write(this.#view, 0, value);
    return this.#push(options);
  }

  /** Adds the bytes of an element as they are. */
  pushBytes(bytes: Uint8Array, options?: PushOptions): this {
    raw(this.#bytes.length, `value of ${mapText(this.handle)}`).write(this.#view, 0, bytes);
    return this.#push(options);
  }

  /** Takes the next element out, undefined when there is none. */
  pop(): V | undefined {
    return this.#next('pop from', true) ? this.#read() : undefined;
  }

  /** The next element, which stays; undefined when there is none. */
  peek(): V | undefined {
    return this.#next('peek into', false) ? this.#read() : undefined;
  }

  /** The bytes of the next element, a copy. */
  peekBytes(): Uint8Array | undefined {
    return this.#next('peek into', false) ? this.#bytes.slice() : undefined;
  }

  /**
   * Takes elements out one by one until there is none. What is pushed meanwhile comes too, up to twice what the map holds
   * in all, so it always ends.
   */
  *drain(): Generator<V, undefined> {
    for (let left = this.maxEntries * 2; left > 0; left--) {
      if (!this.#next('pop from', true)) return;
      yield this.#read();
    }
  }

  /** Removes everything. What is added meanwhile may stay. */
  clear(): void {
    for (let left = this.maxEntries * 2; left > 0; left--) if (!this.#next('clear', true)) return;
  }

  #push({ evict = false }: PushOptions = {}): this {
    const { kernel } = this.handle;
    try {
      kernel.mapUpdate(this.handle.fd(), null, this.#bytes, evict ? BPF_EXIST : BPF_ANY);
    } catch (error) {
      throw updateError(this.handle, error);
    }
    return this;
  }

  /** Fills the buffer; false when there is nothing. */
  #next(operation: string, remove: boolean): boolean {
    const { kernel } = this.handle;
    const fd = this.handle.fd();
    try {
      return remove
        ? kernel.mapLookupAndDelete(fd, null, this.#bytes)
        : kernel.mapLookup(fd, null, this.#bytes);
    } catch (error) {
      throw remove
        ? writeError(this.handle, error, operation)
        : operationError(this.handle, error, operation);
    }
  }

  #read(): V {
    return this.#value.read(this.#view, 0, this.#bytes.length);
  }
}
