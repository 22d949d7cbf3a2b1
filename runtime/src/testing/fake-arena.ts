import type { MapCreate } from '../kernel/kernel.js';
import { FakeMap, type FakeMapFacts } from './fake-map.js';

/** Memory without keys (kernel/bpf/arena.c): only mmap reaches it. */
export class FakeArena extends FakeMap {
  readonly #memory: ArrayBuffer;

  constructor(attributes: MapCreate, facts: FakeMapFacts, pageSize: number) {
    super(attributes, facts);
    this.#memory = new ArrayBuffer(attributes.maxEntries * pageSize);
  }

  override entries(): Iterable<[Uint8Array, Uint8Array]> {
    return [];
  }

  override memory(offset: number, length: number): ArrayBuffer | undefined {
    return offset === 0 && length === this.#memory.byteLength ? this.#memory : undefined;
  }
}
