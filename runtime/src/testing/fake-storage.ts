import type { MapCreate } from '../kernel/kernel.js';
import { BPF_EXIST, BPF_NOEXIST } from '../uapi.js';
import { FakeMap, type FakeMapFacts } from './fake-map.js';

/** Storage of sockets, files, processes and cgroups: values by what a descriptor is of. */
export class FakeStorage extends FakeMap {
  readonly #values = new Map<unknown, Uint8Array>();
  readonly #ownerBehind: (fd: number) => unknown;

  /** `ownerBehind` gives the same for every descriptor of one owner, or refuses it. */
  constructor(attributes: MapCreate, facts: FakeMapFacts, ownerBehind: (fd: number) => unknown) {
    super(attributes, facts);
    this.#ownerBehind = ownerBehind;
  }

  /** The kernel has no list of owners: all keys are empty. */
  override *entries(): Generator<[Uint8Array, Uint8Array], undefined> {
    for (const value of this.#values.values()) yield [new Uint8Array(0), value.slice()];
  }

  override lookup(key: Uint8Array, value: Uint8Array): boolean {
    const kept = this.#values.get(this.#owner(key));
    if (kept !== undefined) value.set(kept);
    return kept !== undefined;
  }

  override update(key: Uint8Array, value: Uint8Array, flags: bigint): void {
    const owner = this.#owner(key);
    const there = this.#values.has(owner);
    if (there && flags === BPF_NOEXIST) throw this.refuse('MAP_UPDATE_ELEM', 'EEXIST');
    if (!there && flags === BPF_EXIST) throw this.refuse('MAP_UPDATE_ELEM', 'ENOENT');
    this.#values.set(owner, value.slice(0, this.lookupSize));
  }

  override delete(key: Uint8Array): boolean {
    return this.#values.delete(this.#owner(key));
  }

  #owner(key: Uint8Array): unknown {
    return this.#ownerBehind(new DataView(key.buffer, key.byteOffset).getInt32(0, this.littleEndian));
  }
}
