import type { MapCreate } from '../kernel/kernel.js';
import { BPF_EXIST, BPF_NOEXIST } from '../uapi.js';
import { FakeHash, type FakeMapFacts } from './fake-map.js';

/** LPM tries. Keys are a prefix length in bits and as many bytes of data as the map says; order is that of creation. */
export class FakeTrie extends FakeHash {
  constructor(attributes: MapCreate, facts: FakeMapFacts) {
    super(attributes, facts, false);
  }

  override lookup(key: Uint8Array, value: Uint8Array): boolean {
    let best: [Uint8Array, Uint8Array] | undefined;
    for (const entry of this.entries()) {
      const [candidate] = entry;
      if (this.#length(candidate) > this.#length(key) || !this.#agree(candidate, key)) continue;
      if (best === undefined || this.#length(candidate) > this.#length(best[0])) best = entry;
    }
    if (best !== undefined) value.set(best[1]);
    return best !== undefined;
  }

  override update(key: Uint8Array, value: Uint8Array, flags: bigint): void {
    if (this.#length(key) > (key.length - 4) * 8) throw this.refuse('MAP_UPDATE_ELEM', 'EINVAL');
    const known = this.#same(key);
    if (flags === BPF_NOEXIST && known !== undefined) throw this.refuse('MAP_UPDATE_ELEM', 'EEXIST');
    if (flags === BPF_EXIST && known === undefined) throw this.refuse('MAP_UPDATE_ELEM', 'ENOENT');
    // The key is kept as it was given last, bits behind the prefix included.
    if (known !== undefined) super.delete(known);
    super.update(key, value, 0n);
  }

  override delete(key: Uint8Array): boolean {
    const known = this.#same(key);
    return known !== undefined && super.delete(known);
  }

  override take(): boolean {
    throw this.refuse('MAP_LOOKUP_AND_DELETE_ELEM', 'ENOTSUPP');
  }

  /** The key of the entry with this very prefix. */
  #same(key: Uint8Array): Uint8Array | undefined {
    for (const [candidate] of this.entries()) {
      if (this.#length(candidate) === this.#length(key) && this.#agree(candidate, key)) return candidate;
    }
    return undefined;
  }

  #length(key: Uint8Array): number {
    return new DataView(key.buffer, key.byteOffset).getUint32(0, this.littleEndian);
  }

  /** Do the keys have the same bits as far as `prefix` goes? */
  #agree(prefix: Uint8Array, key: Uint8Array): boolean {
    const length = this.#length(prefix);
    for (let bit = 0; bit < length; bit++) {
      const [at, mask] = [4 + (bit >> 3), 0x80 >> (bit & 7)];
      if (((prefix[at] ?? 0) & mask) !== ((key[at] ?? 0) & mask)) return false;
    }
    return true;
  }
}
