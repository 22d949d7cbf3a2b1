import { BpfError, printable } from '../errors.js';
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

// Callers in JavaScript may ask for something else.
const flags: ReadonlyMap<string, bigint> = new Map([
  ['create', BPF_NOEXIST],
  ['exist', BPF_EXIST],
]);

/** `flags` of an update. */
export function setFlags({ flag, lock }: SetOptions): bigint {
  const wanted = flag === undefined ? BPF_ANY : flags.get(flag);
  if (wanted === undefined) {
    const given = printable(String(flag));
    throw new BpfError('ERR_BPF_ARGUMENT', `"${given}" is no flag of set(); there are 'create' and 'exist'`);
  }
  return lock === true ? wanted | BPF_F_LOCK : wanted;
}
