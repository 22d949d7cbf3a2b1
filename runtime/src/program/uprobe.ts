import { cannotAttach } from '../link/attach-error.js';
import type { Link } from '../link/link.js';
import { attachUprobe } from '../link/uprobe.js';
import { locateUprobe } from '../link/uprobe-target.js';
import { BPF_PROG_TYPE } from '../uapi.js';
import { kind, Program } from './program.js';

/** Where and how {@link UprobeProgram.attach} attaches. What is left out is taken from SEC(). */
export interface UprobeOptions {
  /**
   * A path, or the name of a library (`libc.so.6`, looked for as libbpf does) or program (in PATH). With `pid`, as that
   * process sees it: in its container, and the very library it has mapped. Without it, what `pid` runs. A file that is
   * stored in a zip archive, and runs from there: `app.apk!/lib/arm64-v8a/libc++.so`.
   */
  readonly binary?: string;
  /** A function of the binary: `open`, with a version `open@GLIBC_2.2.5`; those of C++ and Rust by the name nm prints. */
  readonly symbol?: string;
  /** Bytes from the start of `symbol`, or without one from the start of the file. */
  readonly offset?: number;
  /** Instead of both: an address as nm prints it, or, with `pid` and without `binary`, one inside the running process. */
  readonly address?: bigint | number;
  /** Only this process, with all its threads; 0 is the calling one. Every process when absent. */
  readonly pid?: number;
  /** What bpf_get_attach_cookie() gives the program. Linux 5.15. */
  readonly cookie?: bigint;
  /** Place in the file of a counter that the kernel keeps above 0 while the probe is there (a semaphore). Linux 4.20. */
  readonly refCtrOffset?: number;
}

abstract class UserProgram extends Program {
  protected place(isReturn: boolean, options: UprobeOptions): Link {
    const { kernel } = this.handle;
    const what = isReturn ? 'uretprobe' : 'uprobe';
    const named = this.target === '' ? {} : parseTarget(this.name, what, this.target, options);
    const { cookie, ...given } = options;
    const target = { ...named, ...given };
    const prog = this.fd;
    const { attachment, place } = locateUprobe({ kernel, program: this.name, what, isReturn }, target);
    return this.handle.own(attachUprobe(kernel, prog, attachment, place, cookie));
  }
}

/**
 * A program that runs where a function of a user's program or library starts, or inside it.
 * `SEC("uprobe/libc.so.6:open")`; `SEC("uprobe.s/...")` may sleep (Linux 6.0). Linux 4.17, through tracefs before.
 */
export class UprobeProgram extends UserProgram {
  /**
   * Attaches to a place in a binary; without options to the one that SEC() names, of every process. Each call makes one
   * more link.
   *
   * Throws a BpfError that says what is in the way: no such binary, no such function in it (with similar names, or the
   * library it is imported from), a stripped binary, a process that is gone, a missing capability.
   *
   * @example skel.progs.on_open.attach({ binary: 'libc.so.6', symbol: 'open', pid: 1234 })
   */
  attach(options: UprobeOptions = {}): Link {
    return this.place(false, options);
  }
}

/** `SEC("uprobe/PATH:function")`, `SEC("uprobe/PATH:function+offset")`, `.s` for programs that may sleep. */
export const uprobe = kind({
  kindName: 'uprobe',
  sections: [
    { match: 'uprobe+', type: BPF_PROG_TYPE.KPROBE },
    { match: 'uprobe.s+', type: BPF_PROG_TYPE.KPROBE, sleepable: true },
  ],
  program: UprobeProgram,
  autoAttach: (program) => (program.target === '' ? undefined : program.attach()),
});

/** A program that runs when a function of a user's program or library returns. `SEC("uretprobe/libc.so.6:open")`. */
export class UretprobeProgram extends UserProgram {
  /**
   * Attaches to the return of a function, which starts at the given place. Otherwise as {@link UprobeProgram.attach}.
   */
  attach(options: UprobeOptions = {}): Link {
    return this.place(true, options);
  }
}

/** `SEC("uretprobe/PATH:function")`, `.s` for programs that may sleep. */
export const uretprobe = kind({
  kindName: 'uretprobe',
  sections: [
    { match: 'uretprobe+', type: BPF_PROG_TYPE.KPROBE },
    { match: 'uretprobe.s+', type: BPF_PROG_TYPE.KPROBE, sleepable: true },
  ],
  program: UretprobeProgram,
  autoAttach: (program) => (program.target === '' ? undefined : program.attach()),
});

/**
 * `PATH:function[+offset]` as libbpf's attach_uprobe reads it: the path ends at the first colon, the offset is decimal,
 * octal with a leading 0, or hexadecimal. A name with a plus that no number follows is a name.
 */
function parseTarget(program: string, what: string, target: string, over: UprobeOptions): UprobeOptions {
  const [, binary, name] = /^([^:]+)(?::(.+))?$/s.exec(target) ?? [];
  // An address inside a process is in whatever binary the process has there.
  if (over.address !== undefined && over.pid !== undefined) return {};
  if (binary !== undefined && [over.symbol, over.offset, over.address].some((each) => each !== undefined)) {
    return { binary };
  }
  if (binary === undefined || name === undefined) {
    throw cannotAttach({ program, target: `${what} ${target}` }, 'ERR_BPF_ARGUMENT', {
      why: 'SEC() must name a binary and a function, PATH:function or PATH:function+offset',
      hint: `Name them in the call: attach({ binary: 'libc.so.6', symbol: 'open' })`,
    });
  }
  const [, symbol = name, number] = /^(.*)\+([+-]?(?:0x[0-9a-f]+|\d+))$/is.exec(name) ?? [];
  return number === undefined ? { binary, symbol } : { binary, symbol, offset: parseC(number) };
}

function parseC(number: string): number {
  const [, sign, digits = ''] = /^([+-]?)(.*)$/.exec(number) ?? [];
  const value = /^0\d/.test(digits) ? Number.parseInt(digits, 8) : Number(digits);
  return sign === '-' ? -value : value;
}
