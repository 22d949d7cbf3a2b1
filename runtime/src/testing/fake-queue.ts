import type { MapCreate } from '../kernel/kernel.js';
import { BPF_EXIST } from '../uapi.js';
import { FakeMap, type FakeMapFacts } from './fake-map.js';
import { FakeRing } from './fake-ring.js';

/** Queues and stacks: maps without keys. */
export class FakeQueue extends FakeMap {
  readonly #values: Uint8Array[] = [];
  readonly #stack: boolean;

  constructor(attributes: MapCreate, facts: FakeMapFacts, stack: boolean) {
    super(attributes, facts);
    this.#stack = stack;
  }

  override *entries(): Generator<[Uint8Array, Uint8Array], undefined> {
    for (const value of this.#values) yield [new Uint8Array(0), value.slice()];
  }

  override lookup(_key: Uint8Array | null, value: Uint8Array): boolean {
    const first = this.#values[this.#stack ? this.#values.length - 1 : 0];
    if (first === undefined) return false;
    value.set(first);
    return true;
  }

  override update(_key: Uint8Array | null, value: Uint8Array, flags: bigint): void {
    if (this.#values.length >= this.maxEntries) {
      // BPF_EXIST makes room by dropping the oldest.
      if (flags !== BPF_EXIST) throw this.refuse('MAP_UPDATE_ELEM', 'E2BIG');
      this.#values.shift();
    }
    this.#values.push(value.slice(0, this.lookupSize));
  }

  override delete(): boolean {
    throw this.refuse('MAP_DELETE_ELEM', 'EINVAL');
  }

  override take(key: Uint8Array | null, value: Uint8Array): boolean {
    if (!this.lookup(key, value)) return false;
    if (this.#stack) this.#values.pop();
    else this.#values.shift();
    return true;
  }

  override nextKey(): boolean {
    throw this.refuse('MAP_GET_NEXT_KEY', 'EINVAL');
  }
}

/** A ring buffer map. */
export class FakeRingMap extends FakeMap {
  readonly ring: FakeRing;
  readonly #pageSize: number;

  constructor(attributes: MapCreate, facts: FakeMapFacts, pageSize: number) {
    super(attributes, facts);
    this.ring = new FakeRing(attributes.maxEntries, pageSize);
    this.#pageSize = pageSize;
  }

  /** None: a ring has records. */
  override entries(): Iterable<[Uint8Array, Uint8Array]> {
    return [];
  }

  override memory(offset: number, length: number, writable: boolean): ArrayBuffer | undefined {
    if (offset === 0 && length === this.#pageSize) return this.ring.consumerPage;
    const whole = offset === this.#pageSize && length === this.ring.dataPages.byteLength;
    if (whole && writable) throw this.refuse('MAP_CREATE', 'EPERM');
    return whole ? this.ring.dataPages : undefined;
  }
}
