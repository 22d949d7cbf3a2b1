import { attachKsyscall } from '../link/ksyscall.js';
import type { Link } from '../link/link.js';
import { BPF_PROG_TYPE } from '../uapi.js';
import { kind, Program } from './program.js';

/** How {@link KsyscallProgram.attach} attaches. */
export interface KsyscallOptions {
  /** What bpf_get_attach_cookie() gives the program. Linux 5.15. */
  readonly cookie?: bigint;
}

/**
 * A program that runs when a system call begins, written with `BPF_KSYSCALL`. `SEC("ksyscall/execve")`, Linux 4.1. The
 * kernel's function for it (`__x64_sys_execve`, `__arm64_sys_execve`, `__se_sys_execve`) is found for this kernel.
 */
export class KsyscallProgram extends Program {
  /**
   * Attaches to `syscall`, or without it to the one its SEC() names. Each call makes one more link. Calls of 32-bit
   * programs on 64-bit kernels have functions of their own and are not seen.
   *
   * Throws a BpfError that says why this kernel refuses: no such system call, no kprobes, a missing capability.
   */
  attach(syscall: string = this.target, { cookie }: KsyscallOptions = {}): Link {
    const { kernel } = this.handle;
    const attached = { kernel, prog: this.fd, program: this.name, what: 'ksyscall', cookie };
    return this.handle.own(attachKsyscall(attached, syscall, false));
  }
}

/** `SEC("ksyscall/name")`. */
export const ksyscall = kind({
  kindName: 'ksyscall',
  sections: [{ match: 'ksyscall+', type: BPF_PROG_TYPE.KPROBE }],
  program: KsyscallProgram,
  autoAttach: (program) => (program.section.includes('/') ? program.attach() : undefined),
});

/** A program that runs when a system call returns. `SEC("kretsyscall/execve")`, Linux 4.1. */
export class KretsyscallProgram extends Program {
  /** Attaches to the return of a system call, named as for {@link KsyscallProgram.attach}. */
  attach(syscall: string = this.target, { cookie }: KsyscallOptions = {}): Link {
    const { kernel } = this.handle;
    const attached = { kernel, prog: this.fd, program: this.name, what: 'kretsyscall', cookie };
    return this.handle.own(attachKsyscall(attached, syscall, true));
  }
}

/** `SEC("kretsyscall/name")`. */
export const kretsyscall = kind({
  kindName: 'kretsyscall',
  sections: [{ match: 'kretsyscall+', type: BPF_PROG_TYPE.KPROBE }],
  program: KretsyscallProgram,
  autoAttach: (program) => (program.section.includes('/') ? program.attach() : undefined),
});
