import { BpfError, printable } from '../errors.js';
import type { Fd, Kernel } from '../kernel/kernel.js';
import { errnoOf, type Reason, refusal } from '../link/attach-error.js';
import { attachStructOps, type StructOpsLink } from '../link/struct-ops.js';
import { BPF_F_LINK, BPF_MAP_TYPE, kernelVersion } from '../uapi.js';
import { BpfMap, type MapHandle, type MapShape, mapKind } from './map.js';
import { operationError } from './map-error.js';

/** `enum bpf_struct_ops_state`, by its numbers. */
const states = ['init', 'inuse', 'tobefree', 'ready'] as const;

export type StructOpsState = (typeof states)[number];

/** `state` in `struct bpf_struct_ops_common_value`, with which the value of each of these maps begins. */
const STATE_OFFSET = 4;

/**
 * BPF_MAP_TYPE_STRUCT_OPS: functions that a subsystem of the kernel calls, such as a TCP congestion control. Declared in
 * `SEC(".struct_ops.link")` (Linux 6.4) or `SEC(".struct_ops")` (Linux 5.6).
 */
export class StructOpsMap extends BpfMap {
  /**
   * Registers this map alone with its subsystem, until the link is detached. A map of `SEC(".struct_ops")` is registered
   * by its value: once, and without a bpf_link.
   *
   * There is one scheduler (`sched_ext_ops`, Linux 6.12) at a time. One that fails when it starts, which to the kernel
   * counts as attached, is refused here; what ends it later is told to its exit() and to the kernel's log, while the link
   * stays as it is.
   *
   * @example
   * using link = skel.maps.reno_like.attach();
   * link.update(skel.maps.cubic_like);
   */
  attach(): StructOpsLink {
    const { name, flags, kernel, structOps } = this.handle;
    if (structOps === undefined) {
      throw new BpfError(
        'ERR_BPF_ARGUMENT',
        `attach map "${printable(name)}": its functions are not known here; attach it with the object that declares it`,
      );
    }
    const link = attachStructOps({
      kernel,
      name,
      type: structOps.type,
      map: this.fd,
      flags,
      value: structOps.value,
    });
    structOps.own(link);
    return link;
  }

  /**
   * Makes this map the one that kfuncs find which `program` calls: for subsystems of which several may be registered. Once
   * for each program, which keeps the map; programs of SEC("struct_ops") have that of their own. As libbpf's
   * bpf_program__assoc_struct_ops. Linux 7.0.
   * @throws NotSupportedError on older kernels, BpfError EBUSY when the program has another map
   */
  associate(program: { readonly name: string; readonly fd: Fd }): this {
    const { kernel, name } = this.handle;
    try {
      kernel.progAssocStructOps(program.fd, this.fd);
    } catch (error) {
      const head = `associate map "${printable(name)}" with program "${printable(program.name)}"`;
      throw refusal(head, error, whyNotAssociated(kernel, error));
    }
    return this;
  }

  /**
   * How far the map is: `init` until its functions are written, then `ready` to be linked; without links `inuse` as long as
   * it is registered and `tobefree` while somebody still runs it after that.
   */
  get state(): StructOpsState | undefined {
    const { kernel, valueSize } = this.handle;
    const value = new Uint8Array(valueSize);
    try {
      kernel.mapLookup(this.fd, new Uint8Array(4), value);
    } catch (error) {
      throw operationError(this.handle, error, 'get from');
    }
    return states[new DataView(value.buffer).getUint32(STATE_OFFSET, kernel.littleEndian)];
  }

  /** What a link of another map takes in its place; undefined for a map that links do not hold. */
  get registration(): { readonly fd: number; readonly value: Uint8Array } | undefined {
    const { structOps, flags } = this.handle;
    return structOps === undefined || (flags & BPF_F_LINK) === 0
      ? undefined
      : { fd: this.fd, value: structOps.value };
  }
}

function whyNotAssociated(kernel: Kernel, error: unknown): Reason | undefined {
  switch (errnoOf(error)) {
    case 'EINVAL':
      if (kernel.version < kernelVersion(7, 0)) {
        return {
          why: `programs are associated with struct_ops since Linux 7.0, and this is ${printable(kernel.release)}`,
          unsupported: { feature: 'association of programs with struct_ops', since: '7.0' },
        };
      }
      return {
        why: 'the kernel takes programs of other types than SEC("struct_ops"), which have a map of their own',
      };
    case 'EBUSY':
      return { why: 'the program is associated with another map, and stays so' };
    default:
      return undefined;
  }
}

/** `structOps()`: a BPF_MAP_TYPE_STRUCT_OPS in a skeleton. */
export const structOps = mapKind(
  {
    kindName: 'structOps',
    types: [BPF_MAP_TYPE.STRUCT_OPS],
    codecs: [],
    open: (handle: MapHandle) => new StructOpsMap(handle),
  },
  (kind) => (): MapShape<StructOpsMap> => ({ kind }),
);
