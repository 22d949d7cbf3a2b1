import { cannotAttach } from '../link/attach-error.js';
import type { Link } from '../link/link.js';
import { attachUsdt } from '../link/usdt.js';
import { UsdtSpecs } from '../link/usdt-specs.js';
import { BPF_PROG_TYPE } from '../uapi.js';
import { kind, Program } from './program.js';

/** Which probe, and how {@link UsdtProgram.attach} attaches. What is left out is taken from SEC(). */
export interface UsdtOptions {
  /** A path or a name, found as by {@link UprobeProgram.attach}; without it, what `pid` runs. */
  readonly binary?: string;
  readonly provider?: string;
  readonly name?: string;
  /** Only this process; 0 is the calling one. Every process when absent. */
  readonly pid?: number;
  /** What bpf_usdt_cookie() gives the program; the cookie of the link is taken. */
  readonly cookie?: bigint;
}

/**
 * A program that runs at the places a user's program or library marks for tracing (USDT, SystemTap's sys/sdt.h).
 * `SEC("usdt/libc.so.6:libc:setjmp")`. Its source includes bpf/usdt.bpf.h, whose BPF_USDT() gives it the arguments. The
 * kernel counts it into the probe's semaphore, if it has one (Linux 4.20). On kernels before 5.15 a library, or a position
 * independent program, can only be probed in one process.
 */
export class UsdtProgram extends Program {
  /**
   * Attaches to every place of the probe; without options to the one that SEC() names, of every process. Each call makes
   * one more link. Throws a BpfError that says what is in the way: no such binary, no such probe in it (with what it has),
   * an argument that BPF programs cannot read, a process that is gone, a missing capability.
   *
   * @example skel.progs.on_gc.attach({ binary: 'python3', provider: 'python', name: 'gc__start', pid: 1234 })
   */
  attach(options: UsdtOptions = {}): Link {
    const { kernel, expectedAttachType: attachType, usdt } = this.handle;
    const specs = usdt?.() ?? new UsdtSpecs(kernel, undefined, undefined, true);
    const request = { kernel, prog: this.fd, program: this.name, attachType, specs };
    return this.handle.own(attachUsdt(request, { ...this.#named(options), ...options }));
  }

  /** `PATH:provider:name` as libbpf's attach_usdt reads it, unless the call says it all. */
  #named({ provider, name }: UsdtOptions): { binary?: string; provider: string; name: string } {
    const [, binary, ...probe] = /^([^:]+):([^:]+):([^:]+)/.exec(this.target) ?? [];
    if (binary !== undefined) return { binary, provider: probe[0] ?? '', name: probe[1] ?? '' };
    if (this.target === '' || (provider !== undefined && name !== undefined))
      return { provider: '', name: '' };
    throw cannotAttach({ program: this.name, target: `usdt ${this.target}` }, 'ERR_BPF_ARGUMENT', {
      why: 'SEC() must name a binary, a provider and a probe, PATH:provider:name',
      hint: `Name them in the call: attach({ binary: 'libc.so.6', provider: 'libc', name: 'setjmp' })`,
    });
  }
}

/** `SEC("usdt/PATH:provider:name")`, `.s` for programs that may sleep (which libbpf itself does not attach). */
export const usdt = kind({
  kindName: 'usdt',
  sections: [
    { match: 'usdt+', type: BPF_PROG_TYPE.KPROBE, usdt: true },
    { match: 'usdt.s+', type: BPF_PROG_TYPE.KPROBE, usdt: true, sleepable: true },
  ],
  program: UsdtProgram,
  autoAttach: (program) => (program.target === '' ? undefined : program.attach()),
});
