import { BPF_F_LINK } from '../uapi.js';
import { FakeHash } from './fake-map.js';

/** `enum bpf_struct_ops_state`, in the second number of the value. */
const STATE = { offset: 4, init: 0, inuse: 1, tobefree: 2, ready: 3 } as const;

/** struct_ops maps: one value, written once (kernel/bpf/bpf_struct_ops.c). */
export class FakeStructOps extends FakeHash {
  #state: number = STATE.init;

  override lookup(key: Uint8Array | null, value: Uint8Array): boolean {
    super.lookup(key, value);
    new DataView(value.buffer, value.byteOffset).setUint32(STATE.offset, this.#state, this.littleEndian);
    return true;
  }

  override update(key: Uint8Array | null, value: Uint8Array, flags: bigint): void {
    if (this.#state !== STATE.init) throw this.refuse('MAP_UPDATE_ELEM', 'EBUSY');
    super.update(key, value, flags);
    this.#state = this.#linked ? STATE.ready : STATE.inuse;
  }

  override delete(key: Uint8Array): boolean {
    if (this.#linked) throw this.refuse('MAP_DELETE_ELEM', 'EOPNOTSUPP');
    if (this.#state !== STATE.inuse) return false;
    this.#state = STATE.tobefree;
    return super.delete(key);
  }

  get #linked(): boolean {
    return ((this.attributes.flags ?? 0) & BPF_F_LINK) !== 0;
  }
}
