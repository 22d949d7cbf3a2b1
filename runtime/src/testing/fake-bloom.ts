import { BPF_ANY } from '../uapi.js';
import { FakeMap } from './fake-map.js';

/** Bloom filters, which err in nothing here. */
export class FakeBloom extends FakeMap {
  readonly #members = new Map<string, Uint8Array>();

  override *entries(): Generator<[Uint8Array, Uint8Array], undefined> {
    for (const value of this.#members.values()) yield [new Uint8Array(0), value.slice()];
  }

  override lookup(_key: Uint8Array | null, value: Uint8Array): boolean {
    return this.#members.has(value.join());
  }

  override update(_key: Uint8Array | null, value: Uint8Array, flags: bigint): void {
    if (flags !== BPF_ANY) throw this.refuse('MAP_UPDATE_ELEM', 'EINVAL');
    this.#members.set(value.join(), value.slice());
  }
}
