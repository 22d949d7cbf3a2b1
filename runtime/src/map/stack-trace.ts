import { BPF_MAP_TYPE } from '../uapi.js';
import { CallStacks } from './call-stacks.js';
import { type MapHandle, type MapShape, mapKind } from './map.js';

/** Turns addresses into whatever describes them: `KernelSymbols`, or anything of a caller's own. */
export interface Symbolizer<Symbolized> {
  symbolize(address: bigint): Symbolized;
}

const ADDRESS_SIZE = 8;

/**
 * BPF_MAP_TYPE_STACK_TRACE: stacks as addresses, of the kernel's code or, with BPF_F_USER_STACK, of the process's. A stack
 * whose place is taken is refused to the program with EEXIST: delete what was read. Linux 4.6; walking it 4.18.
 */
export class StackTraceMap extends CallStacks<bigint> {
  constructor(handle: MapHandle) {
    const { littleEndian } = handle.kernel;
    super(handle, {
      size: ADDRESS_SIZE,
      read: (view, offset) => view.getBigUint64(offset, littleEndian) || undefined,
      write: () => undefined,
    });
  }

  override get depth(): number {
    return Math.floor(this.handle.valueSize / ADDRESS_SIZE);
  }

  /** The frames of a stack as `symbols` describes them, the innermost first. Undefined when there is no such stack. */
  symbolize<Symbolized>(id: number, symbols: Symbolizer<Symbolized>): Symbolized[] | undefined {
    return this.get(id)?.map((address) => symbols.symbolize(address));
  }
}

/** `stackTrace()`: a BPF_MAP_TYPE_STACK_TRACE in a skeleton. */
export const stackTrace = mapKind(
  {
    kindName: 'stackTrace',
    types: [BPF_MAP_TYPE.STACK_TRACE],
    codecs: [],
    open: (handle) => new StackTraceMap(handle),
  },
  (kind) => (): MapShape<StackTraceMap> => ({ kind }),
);
