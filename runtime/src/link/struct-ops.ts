import type { Fd, Kernel } from '../kernel/kernel.js';
import { BPF_ATTACH_TYPE, BPF_F_LINK } from '../uapi.js';
import { attachError } from './attach-error.js';
import { Link } from './link.js';

/** A struct_ops map to register with its subsystem. */
export interface StructOpsAttachment {
  readonly kernel: Kernel;
  /** The map's C name. */
  readonly name: string;
  readonly map: Fd;
  /** BPF_F_* the map was created with. */
  readonly flags: number;
  /** The kernel's struct, with the descriptors of its programs. */
  readonly value: Uint8Array;
}

/**
 * Registers a struct_ops map: writing its value does (Linux 5.6), or a bpf_link for those of `.struct_ops.link` (6.4).
 * As libbpf's bpf_map__attach_struct_ops.
 */
export function attachStructOps({ kernel, name, map, flags, value }: StructOpsAttachment): Link {
  const attachment = { program: name, target: 'struct_ops' };
  const key = new Uint8Array(4);
  try {
    kernel.mapUpdate(map, key, value);
    if ((flags & BPF_F_LINK) === 0) {
      return new Link({ kernel, ...attachment, release: () => void kernel.mapDelete(map, key) });
    }
    const fd = kernel.linkCreate({ prog: map, attachType: BPF_ATTACH_TYPE.STRUCT_OPS });
    return new Link({ kernel, ...attachment, fd, release: () => kernel.close(fd) });
  } catch (error) {
    throw attachError(attachment, error);
  }
}
