import { BPF_ANY, BPF_EXIST, BPF_F_LOCK, BPF_NOEXIST } from '../uapi.js';

/** How a value is read. */
export interface GetOptions {
  /** True: under the `struct bpf_spin_lock` of the value, so that no program's write is seen half done. Linux 5.1. */
  readonly lock?: boolean;
}

/** How an update treats a key that is, or is not, there. */
export interface SetOptions extends GetOptions {
  /** `create`: only when the key is absent. `exist`: only when it is there. By default both. */
  readonly flag?: 'create' | 'exist';
}

/** `flags` of a lookup. */
export function getFlags({ lock }: GetOptions): bigint {
  return lock === true ? BPF_F_LOCK : BPF_ANY;
}

/** `flags` of an update. */
export function setFlags({ flag, lock }: SetOptions): bigint {
  const wanted = flag === undefined ? BPF_ANY : flag === 'create' ? BPF_NOEXIST : BPF_EXIST;
  return lock === true ? wanted | BPF_F_LOCK : wanted;
}
