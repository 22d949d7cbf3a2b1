import type { MapBatchResult, MapWriteResult } from '../kernel/kernel.js';
import { FakeArray } from './fake-array.js';

/** `struct bpf_insn_array_value`: orig_off, xlated_off, jitted_off. */
const XLATED = 4;
const JITTED = 8;

/** Arrays of instructions (kernel/bpf/bpf_insn_array.c). */
export class FakeInsnArray extends FakeArray {
  #used: object | undefined;

  override update(key: Uint8Array | null, value: Uint8Array, flags: bigint): void {
    if (value.subarray(XLATED, JITTED + 4).some((byte) => byte !== 0)) {
      throw this.refuse('MAP_UPDATE_ELEM', 'EINVAL');
    }
    super.update(key, value, flags);
  }

  override batch(): MapBatchResult {
    throw this.refuse('MAP_LOOKUP_BATCH', 'ENOTSUPP');
  }

  override updateBatch(): MapWriteResult {
    throw this.refuse('MAP_UPDATE_BATCH', 'ENOTSUPP');
  }

  /** What loading a program of `count` instructions does, none of which this kernel moves. `held`: it is still there. */
  use(program: object, count: number, held: (program: object) => boolean): void {
    if (!this.frozen) throw this.refuse('PROG_LOAD', 'EINVAL');
    const entries = [...this.entries()].map(([key, bytes]) => ({
      key,
      bytes,
      view: new DataView(bytes.buffer),
    }));
    if (entries.some(({ view }) => view.getUint32(0, this.littleEndian) >= count)) {
      throw this.refuse('PROG_LOAD', 'EINVAL');
    }
    if (this.#used !== undefined && held(this.#used)) throw this.refuse('PROG_LOAD', 'EBUSY');
    this.#used = program;
    for (const { key, bytes, view } of entries) {
      const origin = view.getUint32(0, this.littleEndian);
      view.setUint32(XLATED, origin, this.littleEndian);
      view.setUint32(JITTED, origin * 8, this.littleEndian);
      super.update(key, bytes, 0n);
    }
  }
}
