import { ATTR } from './attr.js';
import { Bpf } from './bpf.js';
import { Fields } from './fields.js';
import type { Kernel, ProgAttach, ProgDetach } from './kernel.js';
import type { Libc } from './libc.js';

const ATTR_SIZE = 64;

export function attachCalls(libc: Libc): Pick<Kernel, 'progAttach' | 'progDetach'> {
  const bpf = new Bpf(libc);
  return {
    progAttach: (attach) => bpf.run('PROG_ATTACH', progAttachAttr(attach)),
    progDetach: (detach) => bpf.run('PROG_DETACH', progDetachAttr(detach)),
  };
}

export function progAttachAttr(attach: ProgAttach): Fields {
  const at = ATTR.progAttach;
  return new Fields(ATTR_SIZE)
    .u32(at.target_fd, attach.target)
    .u32(at.attach_bpf_fd, attach.prog)
    .u32(at.attach_type, attach.attachType)
    .u32(at.attach_flags, attach.flags)
    .u32(at.replace_bpf_fd, attach.replace)
    .u32(at.relative_fd, attach.relative)
    .u64(at.expected_revision, attach.expectedRevision);
}

/** The fields of BPF_PROG_ATTACH, of which it reads these. */
export function progDetachAttr({ target, prog, attachType }: ProgDetach): Fields {
  const at = ATTR.progAttach;
  return new Fields(ATTR_SIZE)
    .u32(at.target_fd, target)
    .u32(at.attach_bpf_fd, prog)
    .u32(at.attach_type, attachType);
}
