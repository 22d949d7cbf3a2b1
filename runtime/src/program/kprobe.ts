import type { Kernel } from '../kernel/kernel.js';
import { cannotAttach } from '../link/attach-error.js';
import { attachFirstKprobe, attachKprobe, type Probe } from '../link/kprobe.js';
import type { Link } from '../link/link.js';
import { BPF_PROG_TYPE } from '../uapi.js';
import { kind, Program } from './program.js';

/** How {@link KprobeProgram.attach} attaches. */
export interface KprobeOptions {
  /** Bytes from the function's start; 0 when absent. */
  readonly offset?: number;
  /** What bpf_get_attach_cookie() gives the program. Linux 5.15. */
  readonly cookie?: bigint;
}

/**
 * Where a kprobe goes: a function (`module:function` for one of a module), the first of several that this kernel can
 * probe, or the address of an instruction.
 */
export type KprobeTarget = string | readonly string[] | bigint;

/** A program that runs where a kernel function starts, or inside it. `SEC("kprobe/do_unlinkat")`, Linux 4.1. */
export class KprobeProgram extends Program {
  /**
   * Attaches to `target`, or without it to the function its SEC() names. Each call makes one more link. Addresses need
   * Linux 4.17.
   *
   * Throws a BpfError that says why this kernel refuses: no such function, not traceable, no kprobes, tracefs not
   * mounted, a missing capability.
   *
   * @example skel.progs.trace.attach('tcp_v4_connect', { cookie: 1n })
   * @example skel.progs.trace.attach(['finish_task_switch', 'finish_task_switch.isra.0'])
   */
  attach(target?: KprobeTarget, options: KprobeOptions = {}): Link {
    const { at, offset } = target === undefined ? parseTarget(this, 'kprobe') : { at: target, offset: 0 };
    const probe = { offset: options.offset ?? offset, isReturn: false };
    return this.handle.own(attachProbe(this, this.handle.kernel, 'kprobe', at, probe, options.cookie));
  }
}

/** `SEC("kprobe/func")`, `SEC("kprobe/func+0x10")`. */
export const kprobe = kind({
  kindName: 'kprobe',
  sections: [{ match: 'kprobe+', type: BPF_PROG_TYPE.KPROBE }],
  program: KprobeProgram,
  autoAttach: (program) => (program.section.includes('/') ? program.attach() : undefined),
});

/** How {@link KretprobeProgram.attach} attaches. */
export interface KretprobeOptions {
  /** What bpf_get_attach_cookie() gives the program. Linux 5.15. */
  readonly cookie?: bigint;
}

/** A program that runs when a kernel function returns. `SEC("kretprobe/do_unlinkat")`, Linux 4.1. */
export class KretprobeProgram extends Program {
  /**
   * Attaches to the return of `target`, or without it of the function its SEC() names. Takes and throws what
   * {@link KprobeProgram.attach} does.
   */
  attach(target?: KprobeTarget, options: KretprobeOptions = {}): Link {
    const { at, offset } = target === undefined ? parseTarget(this, 'kretprobe') : { at: target, offset: 0 };
    if (offset !== 0) {
      throw cannotAttach({ program: this.name, target: `kretprobe ${this.target}` }, 'ERR_BPF_ARGUMENT', {
        why: 'a function returns as a whole, so a kretprobe has no offset',
      });
    }
    const probe = { offset, isReturn: true };
    return this.handle.own(attachProbe(this, this.handle.kernel, 'kretprobe', at, probe, options.cookie));
  }
}

/** `SEC("kretprobe/func")`. */
export const kretprobe = kind({
  kindName: 'kretprobe',
  sections: [{ match: 'kretprobe+', type: BPF_PROG_TYPE.KPROBE }],
  program: KretprobeProgram,
  autoAttach: (program) => (program.section.includes('/') ? program.attach() : undefined),
});

function attachProbe(
  { name, fd }: Program,
  kernel: Kernel,
  what: string,
  at: KprobeTarget,
  probe: Omit<Probe, 'at'>,
  cookie: bigint | undefined,
): Link {
  const attached = { kernel, prog: fd, program: name, what, cookie };
  return typeof at === 'object'
    ? attachFirstKprobe(attached, at, probe)
    : attachKprobe(attached, { ...probe, at });
}

/** `func` or `func+offset`; the offset is decimal, octal with a leading 0, or hexadecimal, as libbpf's attach_kprobe reads it. */
function parseTarget({ name, target }: Program, what: string): { at: string; offset: number } {
  const [, symbol, offset = '0'] = /^([\w.]+)(?:\+(0x[0-9a-f]+|\d+))?$/i.exec(target) ?? [];
  if (symbol !== undefined) return { at: symbol, offset: parseC(offset) };
  const attachment = { program: name, target: `${what} ${target}`.trim() };
  throw cannotAttach(attachment, 'ERR_BPF_ARGUMENT', {
    why: target === '' ? 'SEC() names no function' : 'SEC() must name a function, or function+offset',
    hint: `Name it in the call: attach('do_unlinkat')`,
  });
}

function parseC(number: string): number {
  return /^0\d/.test(number) ? Number.parseInt(number, 8) : Number(number);
}
