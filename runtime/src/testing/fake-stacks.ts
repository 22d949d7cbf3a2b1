import { FakeMap } from './fake-map.js';

/** One frame of a stack of the fake kernel: an address, or a place in a file in maps with BPF_F_STACK_BUILD_ID. */
export type FakeFrame = bigint | { readonly buildId: string; readonly offset: bigint };

const BUILD_ID_FRAME = 32;
const VALID = 1;
const IP = 2;

/** Call stacks: a test adds them in place of a program. */
export class FakeStacks extends FakeMap {
  readonly #stacks = new Map<number, Uint8Array>();
  #next = 1;

  /** Plays bpf_get_stackid(): gives the id. */
  add(frames: readonly FakeFrame[], withBuildIds: boolean): number {
    const value = new Uint8Array(this.lookupSize);
    const view = new DataView(value.buffer);
    const size = withBuildIds ? BUILD_ID_FRAME : 8;
    frames.slice(0, Math.floor(value.length / size)).forEach((frame, index) => {
      const at = index * size;
      if (!withBuildIds) {
        view.setBigUint64(at, typeof frame === 'bigint' ? frame : frame.offset, this.littleEndian);
        return;
      }
      view.setInt32(at, typeof frame === 'bigint' ? IP : VALID, this.littleEndian);
      if (typeof frame !== 'bigint') {
        const digits = frame.buildId.match(/../g) ?? [];
        value.set(
          digits.slice(0, 20).map((pair) => Number.parseInt(pair, 16)),
          at + 4,
        );
      }
      view.setBigUint64(at + 24, typeof frame === 'bigint' ? frame : frame.offset, this.littleEndian);
    });
    const id = this.#next++;
    this.#stacks.set(id, value);
    return id;
  }

  override *entries(): Generator<[Uint8Array, Uint8Array], undefined> {
    for (const [id, value] of this.#stacks) yield [this.#key(id), value.slice()];
  }

  override lookup(key: Uint8Array, value: Uint8Array): boolean {
    const stack = this.#stacks.get(this.#id(key));
    if (stack !== undefined) value.set(stack);
    return stack !== undefined;
  }

  override update(): void {
    throw this.refuse('MAP_UPDATE_ELEM', 'EINVAL');
  }

  override delete(key: Uint8Array): boolean {
    return this.#stacks.delete(this.#id(key));
  }

  override nextKey(key: Uint8Array | null, next: Uint8Array): boolean {
    const after = key === null ? 0 : this.#id(key);
    for (const id of this.#stacks.keys()) {
      if (id <= after) continue;
      next.set(this.#key(id));
      return true;
    }
    return false;
  }

  #id(key: Uint8Array): number {
    return new DataView(key.buffer, key.byteOffset).getUint32(0, this.littleEndian);
  }

  #key(id: number): Uint8Array {
    const key = new Uint8Array(4);
    new DataView(key.buffer).setUint32(0, id, this.littleEndian);
    return key;
  }
}
