import { cannotAttach } from '../link/attach-error.js';
import { attachKprobe } from '../link/kprobe.js';
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

/** A program that runs where a kernel function starts, or inside it. `SEC("kprobe/do_unlinkat")`, Linux 4.1. */
export class KprobeProgram extends Program {
  /**
   * Attaches to `symbol`, or without it to the function its SEC() names. Each call makes one more link.
   *
   * Throws a BpfError that says why this kernel refuses: no such function, not traceable, no kprobes, tracefs not
   * mounted, a missing capability.
   *
   * @example skel.progs.trace.attach('tcp_v4_connect', { cookie: 1n })
   */
  attach(symbol?: string, options: KprobeOptions = {}): Link {
    const named =
      symbol === undefined ? parseTarget(this.name, 'kprobe', this.target) : { symbol, offset: 0 };
    const probe = { symbol: named.symbol, offset: options.offset ?? named.offset, isReturn: false };
    const { kernel } = this.handle;
    return this.handle.own(attachKprobe(kernel, this.fd, this.name, probe, options.cookie));
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
   * Attaches to the return of `symbol`, or without it of the function its SEC() names. Throws as
   * {@link KprobeProgram.attach}.
   */
  attach(symbol?: string, options: KretprobeOptions = {}): Link {
    const named =
      symbol === undefined ? parseTarget(this.name, 'kretprobe', this.target) : { symbol, offset: 0 };
    if (named.offset !== 0) {
      throw cannotAttach({ program: this.name, target: `kretprobe ${this.target}` }, 'ERR_BPF_ARGUMENT', {
        why: 'a function returns as a whole, so a kretprobe has no offset',
      });
    }
    const { kernel } = this.handle;
    const probe = { ...named, isReturn: true };
    return this.handle.own(attachKprobe(kernel, this.fd, this.name, probe, options.cookie));
  }
}

/** `SEC("kretprobe/func")`. */
export const kretprobe = kind({
  kindName: 'kretprobe',
  sections: [{ match: 'kretprobe+', type: BPF_PROG_TYPE.KPROBE }],
  program: KretprobeProgram,
  autoAttach: (program) => (program.section.includes('/') ? program.attach() : undefined),
});

/** `func` or `func+offset`; the offset is decimal, octal with a leading 0, or hexadecimal, as libbpf's attach_kprobe reads it. */
function parseTarget(program: string, what: string, target: string): { symbol: string; offset: number } {
  const [, symbol, offset = '0'] = /^([\w.]+)(?:\+(0x[0-9a-f]+|\d+))?$/i.exec(target) ?? [];
  if (symbol !== undefined) return { symbol, offset: parseC(offset) };
  const attachment = { program, target: `${what} ${target}`.trim() };
  throw cannotAttach(attachment, 'ERR_BPF_ARGUMENT', {
    why: target === '' ? 'SEC() names no function' : 'SEC() must name a function, or function+offset',
    hint: `Name it in the call: attach('do_unlinkat')`,
  });
}

function parseC(number: string): number {
  return /^0\d/.test(number) ? Number.parseInt(number, 8) : Number(number);
}
