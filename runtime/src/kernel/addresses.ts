/** Beyond this an array is not remembered: the memory would stay in use with it. */
const LARGEST = 64 * 1024;
const SLOTS = 8;

/**
 * Addresses of the arrays that were used last. Asking koffi costs as much as a twentieth of a map lookup, and map
 * classes pass the same few buffers again and again. An array's memory does not move once its address was taken; a
 * detached array has length 0 and gets address 0.
 */
export class RecentAddresses {
  readonly #ask: (bytes: Uint8Array) => bigint;
  readonly #arrays: (Uint8Array | undefined)[] = new Array(SLOTS).fill(undefined);
  readonly #addresses: bigint[] = new Array(SLOTS).fill(0n);
  #oldest = 0;

  constructor(ask: (bytes: Uint8Array) => bigint) {
    this.#ask = ask;
  }

  of(bytes: Uint8Array): bigint {
    if (bytes.length === 0) return 0n;
    for (let slot = 0; slot < SLOTS; slot++) {
      if (this.#arrays[slot] === bytes) return this.#addresses[slot] ?? 0n;
    }
    const address = this.#ask(bytes);
    if (bytes.length <= LARGEST) {
      this.#arrays[this.#oldest] = bytes;
      this.#addresses[this.#oldest] = address;
      this.#oldest = (this.#oldest + 1) % SLOTS;
    }
    return address;
  }
}
