/**
 * Addresses of arrays, remembered: asking koffi costs a twentieth of a map lookup, and map classes pass the same few
 * buffers again and again. An array's memory does not move once its address was taken, and a detached array is known
 * by its length 0.
 */
export class Addresses {
  readonly #ask: (bytes: Uint8Array) => bigint;
  readonly #known = new WeakMap<Uint8Array, bigint>();

  constructor(ask: (bytes: Uint8Array) => bigint) {
    this.#ask = ask;
  }

  of(bytes: Uint8Array): bigint {
    if (bytes.length === 0) return 0n;
    return this.#known.get(bytes) ?? this.#remember(bytes);
  }

  #remember(bytes: Uint8Array): bigint {
    const address = this.#ask(bytes);
    this.#known.set(bytes, address);
    return address;
  }
}
