import type { Codec } from '../codec/codec.js';
import { BpfError } from '../errors.js';
import { fdOf, type HasFd } from './holder.js';
import type { MapHandle } from './map.js';
import { mapText } from './map-error.js';

/**
 * `struct bpf_devmap_val` and `struct bpf_cpumap_val`: a number and, where the map's values have 8 bytes (Linux 5.8), a
 * program, by descriptor when it is written and by id when it is read.
 */
export interface RedirectValue {
  readonly number: number;
  /** 0 for none. */
  readonly program: number;
}

const PROGRAM_OFFSET = 4;

export function redirectValue({ valueSize, kernel: { littleEndian } }: MapHandle): Codec<RedirectValue> {
  const hasProgram = valueSize >= 8;
  return {
    size: valueSize,
    read: (view, offset) => ({
      number: view.getUint32(offset, littleEndian),
      program: hasProgram ? view.getUint32(offset + PROGRAM_OFFSET, littleEndian) : 0,
    }),
    write(view, offset, { number, program }) {
      view.setUint32(offset, number, littleEndian);
      if (hasProgram) view.setUint32(offset + PROGRAM_OFFSET, program, littleEndian);
    },
  };
}

/** The descriptor of a program that goes into such a value, 0 for none. `struct` names its type in C. */
export function programFd(handle: MapHandle, program: HasFd | undefined, struct: string): number {
  if (program === undefined) return 0;
  if (handle.valueSize >= 8) return fdOf(handle, program);
  throw new BpfError(
    'ERR_BPF_LAYOUT',
    `set a program in ${mapText(handle)}: its values have ${handle.valueSize} bytes, and 8 with a program; declare it with __type(value, struct ${struct})`,
  );
}
