import { alignUp } from '../bytes.js';
import type { MapBatch, MapBatchResult, MapCreate, MapWriteBatch, MapWriteResult } from '../kernel/kernel.js';
import { BPF_F_MMAPABLE, BPF_NOEXIST } from '../uapi.js';
import { FakeMap, type FakeMapFacts } from './fake-map.js';

/** Array and per-CPU array maps: all elements in one piece of memory, which mmap shows. */
export class FakeArray extends FakeMap {
  readonly #stride: number;
  readonly #buffer: ArrayBuffer;
  readonly #bytes: Uint8Array;

  constructor(attributes: MapCreate, facts: FakeMapFacts, pageSize: number) {
    super(attributes, facts);
    this.#stride = alignUp(facts.lookupSize, 8);
    this.#buffer = new ArrayBuffer(alignUp(this.#stride * attributes.maxEntries, pageSize));
    this.#bytes = new Uint8Array(this.#buffer);
  }

  override *entries(): Generator<[Uint8Array, Uint8Array], undefined> {
    for (let index = 0; index < this.maxEntries; index++) {
      yield [this.#key(index), this.#element(index).slice()];
    }
  }

  override lookup(key: Uint8Array | null, value: Uint8Array): boolean {
    const index = this.#index(key);
    if (index >= this.maxEntries) return false;
    value.set(this.#element(index));
    return true;
  }

  override update(key: Uint8Array | null, value: Uint8Array, flags: bigint): void {
    const index = this.#index(key);
    if (index >= this.maxEntries) throw this.refuse('MAP_UPDATE_ELEM', 'E2BIG');
    if (flags === BPF_NOEXIST) throw this.refuse('MAP_UPDATE_ELEM', 'EEXIST');
    this.#element(index).set(value.subarray(0, this.lookupSize));
  }

  override delete(): boolean {
    throw this.refuse('MAP_DELETE_ELEM', 'EINVAL');
  }

  override nextKey(key: Uint8Array | null, next: Uint8Array): boolean {
    const index = key === null ? 0 : this.#index(key) + 1;
    if (index > this.maxEntries) return this.nextKey(null, next);
    if (index === this.maxEntries) return false;
    next.set(this.#key(index));
    return true;
  }

  override batch({ keys, values, count, cursor, remove }: MapBatch): MapBatchResult {
    if (remove) throw this.refuse('MAP_LOOKUP_AND_DELETE_BATCH', 'ENOTSUPP');
    const start = cursor === null ? 0 : this.#index(cursor);
    const end = Math.min(start + count, this.maxEntries);
    for (let index = start; index < end; index++) {
      keys.set(this.#key(index), (index - start) * 4);
      values.set(this.#element(index), (index - start) * this.lookupSize);
    }
    return { count: end - start, cursor: end === this.maxEntries ? undefined : this.#key(end) };
  }

  override updateBatch(batch: MapWriteBatch): MapWriteResult {
    return this.updateEach(batch);
  }

  override memory(offset: number, length: number, writable: boolean): ArrayBuffer | undefined {
    const mappable = ((this.attributes.flags ?? 0) & BPF_F_MMAPABLE) !== 0;
    if (!mappable || offset !== 0 || length > this.#buffer.byteLength) return undefined;
    if (writable && this.frozen) throw this.refuse('MAP_FREEZE', 'EPERM');
    return this.#buffer;
  }

  #element(index: number): Uint8Array {
    const at = index * this.#stride;
    return this.#bytes.subarray(at, at + this.lookupSize);
  }

  #key(index: number): Uint8Array {
    const key = new Uint8Array(4);
    new DataView(key.buffer).setUint32(0, index, this.littleEndian);
    return key;
  }

  #index(key: Uint8Array | null): number {
    if (key === null) return this.maxEntries;
    return new DataView(key.buffer, key.byteOffset).getUint32(0, this.littleEndian);
  }
}

/** Arrays of descriptors: programs, perf events, maps. A slot holds the object; a lookup gives its id where it has one. */
export class FakeSlots<T extends { readonly id?: number }> extends FakeMap {
  readonly #slots: (T | undefined)[];
  readonly #resolve: (fd: number) => T;

  /** `resolve` finds the object behind a descriptor, or refuses it. */
  constructor(attributes: MapCreate, facts: FakeMapFacts, resolve: (fd: number) => T) {
    super(attributes, facts);
    this.#slots = new Array<T | undefined>(attributes.maxEntries).fill(undefined);
    this.#resolve = resolve;
  }

  slot(index: number): T | undefined {
    return this.#slots[index];
  }

  override *entries(): Generator<[Uint8Array, Uint8Array], undefined> {
    for (const [index, object] of this.#slots.entries()) {
      if (object !== undefined) yield [this.#word(index), this.#word(object.id ?? 0)];
    }
  }

  override lookup(key: Uint8Array, value: Uint8Array): boolean {
    const object = this.#slots[this.#number(key)];
    if (object === undefined) return false;
    if (object.id === undefined) throw this.refuse('MAP_LOOKUP_ELEM', 'ENOTSUPP');
    value.set(this.#word(object.id));
    return true;
  }

  override update(key: Uint8Array, value: Uint8Array): void {
    const index = this.#number(key);
    if (index >= this.maxEntries) throw this.refuse('MAP_UPDATE_ELEM', 'E2BIG');
    this.#slots[index] = this.#resolve(this.#number(value));
  }

  override delete(key: Uint8Array): boolean {
    const index = this.#number(key);
    if (index >= this.maxEntries) throw this.refuse('MAP_DELETE_ELEM', 'E2BIG');
    const there = this.#slots[index] !== undefined;
    this.#slots[index] = undefined;
    return there;
  }

  /** Every slot has a key, whether something is in it or not. */
  override nextKey(key: Uint8Array | null, next: Uint8Array): boolean {
    const index = key === null ? 0 : this.#number(key) + 1;
    if (index > this.maxEntries) return this.nextKey(null, next);
    if (index < this.maxEntries) next.set(this.#word(index));
    return index < this.maxEntries;
  }

  #number(bytes: Uint8Array): number {
    return new DataView(bytes.buffer, bytes.byteOffset).getUint32(0, this.littleEndian);
  }

  #word(value: number): Uint8Array {
    const bytes = new Uint8Array(4);
    new DataView(bytes.buffer).setUint32(0, value, this.littleEndian);
    return bytes;
  }
}
