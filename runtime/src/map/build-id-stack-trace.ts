import { BPF_F_STACK_BUILD_ID, BPF_MAP_TYPE } from '../uapi.js';
import { CallStacks } from './call-stacks.js';
import { type MapHandle, type MapShape, mapKind } from './map.js';

/** A place in a file of code, whichever process runs it. */
export interface BuildIdFrame {
  /** GNU build id of the file in hex, as `readelf -n` shows it; shorter ids end in zeros, to 40 digits. */
  readonly buildId: string;
  /** Bytes from the start of the file. */
  readonly offset: bigint;
}

/** A frame for which the kernel could not read a build id: its address in the process. */
export interface AddressFrame {
  readonly buildId: undefined;
  readonly address: bigint;
}

/** `struct bpf_stack_build_id`: a status of 32 bits, the id, an offset or an address. */
const FRAME = { size: 32, status: 0, buildId: 4, buildIdSize: 20, place: 24 } as const;
/** `enum bpf_stack_build_id_status`. */
const BPF_STACK_BUILD_ID_EMPTY = 0;
const BPF_STACK_BUILD_ID_VALID = 1;

/**
 * BPF_MAP_TYPE_STACK_TRACE with BPF_F_STACK_BUILD_ID: stacks of processes as places in files, which stay true when the
 * process is gone. Linux 4.17.
 */
export class BuildIdStackTraceMap extends CallStacks<BuildIdFrame | AddressFrame> {
  constructor(handle: MapHandle) {
    const { littleEndian } = handle.kernel;
    super(handle, {
      size: FRAME.size,
      read(view, offset) {
        const status = view.getInt32(offset + FRAME.status, littleEndian);
        if (status === BPF_STACK_BUILD_ID_EMPTY) return undefined;
        const place = view.getBigUint64(offset + FRAME.place, littleEndian);
        if (status !== BPF_STACK_BUILD_ID_VALID) return { buildId: undefined, address: place };
        const id = new Uint8Array(view.buffer, view.byteOffset + offset + FRAME.buildId, FRAME.buildIdSize);
        const buildId = Array.from(id, (byte) => byte.toString(16).padStart(2, '0')).join('');
        return { buildId, offset: place };
      },
      write: () => undefined,
    });
  }

  override get depth(): number {
    return Math.floor(this.handle.valueSize / FRAME.size);
  }
}

/** `buildIdStackTrace()`: a BPF_MAP_TYPE_STACK_TRACE with BPF_F_STACK_BUILD_ID in a skeleton. */
export const buildIdStackTrace = mapKind(
  {
    kindName: 'buildIdStackTrace',
    types: [BPF_MAP_TYPE.STACK_TRACE],
    flags: BPF_F_STACK_BUILD_ID,
    codecs: [],
    open: (handle) => new BuildIdStackTraceMap(handle),
  },
  (kind) => (): MapShape<BuildIdStackTraceMap> => ({ kind }),
);
