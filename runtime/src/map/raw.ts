import type { Codec } from '../codec/codec.js';
import { BpfError } from '../errors.js';

/** Keys or values without a type: their bytes. Reading copies. `what` names them in errors. */
export function raw(size: number, what: string): Codec<Uint8Array> {
  return {
    size,
    read: (view, offset) => bytesAt(view, offset, size),
    write(view, offset, value) {
      if (value.length !== size) {
        throw new BpfError('ERR_BPF_LAYOUT', `${what}: takes ${size} bytes, ${value.length} were given`);
      }
      new Uint8Array(view.buffer, view.byteOffset + offset, size).set(value);
    },
  };
}

/** A copy of `size` bytes of a view. */
export function bytesAt(view: DataView, offset: number, size: number): Uint8Array {
  return new Uint8Array(view.buffer, view.byteOffset + offset, size).slice();
}
