import { cannotAttach } from '../link/attach-error.js';
import type { Link } from '../link/link.js';
import { attachUprobeMulti } from '../link/uprobe-multi.js';
import { BPF_ATTACH_TYPE, BPF_PROG_TYPE } from '../uapi.js';
import { kind, Program, type SectionRule } from './program.js';

/** Where and how {@link UprobeMultiProgram.attach} attaches. What is left out is taken from SEC(). */
export interface UprobeMultiOptions {
  /** A path or a name, found as by {@link UprobeProgram.attach}; without it, what `pid` runs. */
  readonly binary?: string;
  /** Every function that a glob (`*`, `?`) matches, or those of a list of names. */
  readonly functions?: string | readonly string[];
  /** Instead of functions: places in the file, bytes. */
  readonly offsets?: readonly number[];
  /** Only this process, with all its threads; 0 is the calling one. Every process when absent. */
  readonly pid?: number;
  /** What bpf_get_attach_cookie() gives the program: one for each name or offset of a list, in its order. */
  readonly cookies?: readonly bigint[];
  /** Places in the file of counters that the kernel keeps above 0 meanwhile, one for each of a list; 0 for none. */
  readonly refCtrOffsets?: readonly number[];
}

/** A program on many places of one binary by one link. */
abstract class PlacesProgram extends Program {
  protected attachTo(what: string, isReturn: boolean, options: UprobeMultiOptions): Link {
    const { kernel, expectedAttachType: attachType } = this.handle;
    const elsewhere = options.functions !== undefined || options.offsets !== undefined;
    const named = this.target === '' ? {} : this.#parse(what, elsewhere);
    const request = { kernel, prog: this.fd, program: this.name, what, attachType, isReturn };
    return this.handle.own(attachUprobeMulti(request, { ...named, ...options }));
  }

  /** `PATH:glob` as libbpf's attach_uprobe_multi reads it. */
  #parse(what: string, pathIsEnough: boolean): UprobeMultiOptions {
    const [, binary, functions] = /^([^:]+)(?::(.+))?$/s.exec(this.target) ?? [];
    if (binary !== undefined && pathIsEnough) return { binary };
    if (binary !== undefined && functions !== undefined) return { binary, functions };
    throw cannotAttach({ program: this.name, target: `${what} ${this.target}` }, 'ERR_BPF_ARGUMENT', {
      why: 'SEC() must name a binary and functions, PATH:glob',
      hint: `Name them in the call: attach({ binary: 'libc.so.6', functions: 'open*' })`,
    });
  }
}

/**
 * A program that runs where any of many functions of a user's program or library starts, by one link.
 * `SEC("uprobe.multi/libc.so.6:open*")`. Linux 6.6; kernels before get one uprobe for each function, which takes two
 * descriptors and a moment each, and such a link can neither be pinned nor tell its ids.
 */
export class UprobeMultiProgram extends PlacesProgram {
  /**
   * Attaches to the functions that a glob matches or a list names, or to offsets; without options to what SEC() names.
   * Each call makes one more link. With `retprobe` it runs when they return. Throws as {@link UprobeProgram.attach}.
   *
   * @example skel.progs.on_call.attach({ binary: '/usr/bin/app', functions: ['read_a', 'read_b'], cookies: [1n, 2n] })
   */
  attach(options: UprobeMultiOptions & { readonly retprobe?: boolean } = {}): Link {
    const { retprobe = false, ...rest } = options;
    return this.attachTo(retprobe ? 'uretprobe.multi' : 'uprobe.multi', retprobe, rest);
  }
}

/** A program that runs when any of many functions returns. `SEC("uretprobe.multi/libc.so.6:open*")`. */
export class UretprobeMultiProgram extends PlacesProgram {
  /** Attaches to the returns of functions; otherwise as {@link UprobeMultiProgram.attach}. */
  attach(options: UprobeMultiOptions = {}): Link {
    return this.attachTo('uretprobe.multi', true, options);
  }
}

/**
 * A program that runs where a function starts and again when it returns, unless it answered 1 the first time; 8 bytes
 * (bpf_session_cookie) pass from one to the other. `SEC("uprobe.session/libc.so.6:open*")`, Linux 6.13.
 */
export class UprobeSessionProgram extends PlacesProgram {
  /** Attaches to functions; otherwise as {@link UprobeMultiProgram.attach}. */
  attach(options: UprobeMultiOptions = {}): Link {
    return this.attachTo('uprobe.session', false, options);
  }
}

function sections(name: string, attachType: number): SectionRule[] {
  const type = BPF_PROG_TYPE.KPROBE;
  return [
    { match: `${name}+`, type, attachType },
    { match: `${name}.s+`, type, attachType, sleepable: true },
  ];
}

/** `SEC("uprobe.multi/PATH:glob")`, `.s` for programs that may sleep. */
export const uprobeMulti = kind({
  kindName: 'uprobeMulti',
  sections: sections('uprobe.multi', BPF_ATTACH_TYPE.TRACE_UPROBE_MULTI),
  program: UprobeMultiProgram,
  autoAttach: (program) => (program.target === '' ? undefined : program.attach()),
});

/** `SEC("uretprobe.multi/PATH:glob")`. */
export const uretprobeMulti = kind({
  kindName: 'uretprobeMulti',
  sections: sections('uretprobe.multi', BPF_ATTACH_TYPE.TRACE_UPROBE_MULTI),
  program: UretprobeMultiProgram,
  autoAttach: (program) => (program.target === '' ? undefined : program.attach()),
});

/** `SEC("uprobe.session/PATH:glob")`. */
export const uprobeSession = kind({
  kindName: 'uprobeSession',
  sections: sections('uprobe.session', BPF_ATTACH_TYPE.TRACE_UPROBE_SESSION),
  program: UprobeSessionProgram,
  autoAttach: (program) => (program.target === '' ? undefined : program.attach()),
});
