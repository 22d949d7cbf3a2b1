import { cannotAttach } from '../link/attach-error.js';
import { attachKprobeMulti, type FunctionChoice } from '../link/kprobe-multi.js';
import type { Link } from '../link/link.js';
import { BPF_ATTACH_TYPE, BPF_PROG_TYPE } from '../uapi.js';
import { kind, Program } from './program.js';

export type { FunctionChoice };

/** How {@link KretprobeMultiProgram.attach} and {@link KprobeSessionProgram.attach} attach. */
export interface FunctionsOptions {
  /** What bpf_get_attach_cookie() gives the program: one for each function of a list, in its order. */
  readonly cookies?: readonly bigint[];
  /** Refuses a name or pattern that more than one function matches. */
  readonly uniqueMatch?: boolean;
}

/** How {@link KprobeMultiProgram.attach} attaches. */
export interface KprobeMultiAttachOptions extends FunctionsOptions {
  /** Runs the program when the functions return. */
  readonly retprobe?: boolean;
}

/** A program on many functions by one link. */
abstract class FunctionsProgram extends Program {
  protected attachTo(
    what: string,
    functions: FunctionChoice | undefined,
    isReturn: boolean,
    { cookies, uniqueMatch }: FunctionsOptions,
  ): Link {
    const { kernel } = this.handle;
    return this.handle.own(
      attachKprobeMulti(kernel, this.fd, this.name, {
        what,
        attachType: this.handle.expectedAttachType,
        functions: functions ?? this.#pattern(what),
        isReturn,
        cookies,
        uniqueMatch,
      }),
    );
  }

  /** What SEC() names: the characters libbpf's attach_kprobe_multi takes, and no others. */
  #pattern(what: string): string {
    if (/^[\w.*?]+$/.test(this.target)) return this.target;
    throw cannotAttach({ program: this.name, target: `${what} ${this.target}`.trim() }, 'ERR_BPF_ARGUMENT', {
      why: this.target === '' ? 'SEC() names no functions' : 'SEC() must name a function or a pattern',
      hint: `Name them in the call: attach('tcp_*')`,
    });
  }
}

/** A program that runs where any of many kernel functions starts. `SEC("kprobe.multi/tcp_*")`, Linux 5.18. */
export class KprobeMultiProgram extends FunctionsProgram {
  /**
   * Attaches to every function a glob matches (`*`, `?`), to a list of names, or to a list of addresses; without
   * `functions` to what its SEC() names. One link, however many functions.
   *
   * Throws a BpfError that says why this kernel refuses: no fprobe, no such function, not traceable, tracefs not mounted,
   * a missing capability.
   *
   * @example skel.progs.trace.attach(['tcp_v4_connect', 'tcp_v6_connect'], { cookies: [4n, 6n] })
   */
  attach(functions?: FunctionChoice, options: KprobeMultiAttachOptions = {}): Link {
    const { retprobe = false } = options;
    return this.attachTo(retprobe ? 'kretprobe.multi' : 'kprobe.multi', functions, retprobe, options);
  }
}

/** A program that runs when any of many kernel functions returns. `SEC("kretprobe.multi/tcp_*")`, Linux 5.18. */
export class KretprobeMultiProgram extends FunctionsProgram {
  /** Attaches to the returns of functions, chosen as by {@link KprobeMultiProgram.attach}. */
  attach(functions?: FunctionChoice, options: FunctionsOptions = {}): Link {
    return this.attachTo('kretprobe.multi', functions, true, options);
  }
}

/**
 * A program that runs where a function starts and again when it returns, unless it answered 1 the first time; 8 bytes
 * (bpf_session_cookie) pass from one to the other. `SEC("kprobe.session/tcp_*")`, Linux 6.10.
 */
export class KprobeSessionProgram extends FunctionsProgram {
  /** Attaches to functions, chosen as by {@link KprobeMultiProgram.attach}. */
  attach(functions?: FunctionChoice, options: FunctionsOptions = {}): Link {
    return this.attachTo('kprobe.session', functions, false, options);
  }
}

const type = BPF_PROG_TYPE.KPROBE;

/** `SEC("kprobe.multi/glob")`. */
export const kprobeMulti = kind({
  kindName: 'kprobeMulti',
  sections: [{ match: 'kprobe.multi+', type, attachType: BPF_ATTACH_TYPE.TRACE_KPROBE_MULTI }],
  program: KprobeMultiProgram,
  autoAttach: (program) => (program.section.includes('/') ? program.attach() : undefined),
});

/** `SEC("kretprobe.multi/glob")`. */
export const kretprobeMulti = kind({
  kindName: 'kretprobeMulti',
  sections: [{ match: 'kretprobe.multi+', type, attachType: BPF_ATTACH_TYPE.TRACE_KPROBE_MULTI }],
  program: KretprobeMultiProgram,
  autoAttach: (program) => (program.section.includes('/') ? program.attach() : undefined),
});

/** `SEC("kprobe.session/glob")`. */
export const kprobeSession = kind({
  kindName: 'kprobeSession',
  sections: [{ match: 'kprobe.session+', type, attachType: BPF_ATTACH_TYPE.TRACE_KPROBE_SESSION }],
  program: KprobeSessionProgram,
  autoAttach: (program) => (program.section.includes('/') ? program.attach() : undefined),
});
