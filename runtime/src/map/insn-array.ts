import type { Codec } from '../codec/codec.js';
import { BPF_MAP_TYPE } from '../uapi.js';
import { IndexedMap } from './indexed.js';
import { type MapHandle, type MapShape, mapKind } from './map.js';

/** Where an instruction of a program is: `struct bpf_insn_array_value`. */
export interface InsnPlace {
  /** Its number in the program as it is loaded. */
  readonly orig_off: number;
  /** Its number in the program as the verifier left it; undefined when the verifier removed it. */
  readonly xlated_off?: number | undefined;
  /** Bytes from the beginning of the machine code; undefined when the verifier removed it. */
  readonly jitted_off?: number | undefined;
}

/** What the kernel writes for an instruction that is gone (kernel/bpf/bpf_insn_array.c, INSN_DELETED). */
const REMOVED = 0xffff_ffff;

/**
 * BPF_MAP_TYPE_INSN_ARRAY: instructions of one program, which it jumps to, or whose way through the verifier is to be
 * known. Set `orig_off` of every element and freeze() the map before the program that uses it is loaded; then the kernel
 * fills in the rest. Linux 6.19.
 */
export class InsnArray extends IndexedMap<InsnPlace> {
  constructor(handle: MapHandle) {
    super(handle, insnPlace(handle));
  }

  /**
   * Says which instruction an element is of, by its number. The other members are the kernel's: what is given is passed
   * over.
   * @throws BpfError EPERM once the map is frozen
   */
  override set(index: number, place: InsnPlace | number): this {
    return super.set(index, typeof place === 'number' ? { orig_off: place } : place);
  }
}

function insnPlace({ kernel: { littleEndian } }: MapHandle): Codec<InsnPlace> {
  return {
    size: 16,
    read(view, offset) {
      const orig_off = view.getUint32(offset, littleEndian);
      const xlated_off = view.getUint32(offset + 4, littleEndian);
      if (xlated_off === REMOVED) return { orig_off, xlated_off: undefined, jitted_off: undefined };
      return { orig_off, xlated_off, jitted_off: view.getUint32(offset + 8, littleEndian) };
    },
    write: (view, offset, { orig_off }) => view.setUint32(offset, orig_off, littleEndian),
  };
}

/** `insnArray()`: a BPF_MAP_TYPE_INSN_ARRAY in a skeleton. */
export const insnArray = mapKind(
  {
    kindName: 'insnArray',
    types: [BPF_MAP_TYPE.INSN_ARRAY],
    codecs: [],
    open: (handle) => new InsnArray(handle),
  },
  (kind) => (): MapShape<InsnArray> => ({ kind }),
);
