import type { Kernel } from '../kernel/kernel.js';
import { cannotAttach, type Reason } from './attach-error.js';
import { functionsNamed } from './kallsyms.js';
import { attachFirstKprobe, type ProbeAttachment } from './kprobe.js';
import type { Link } from './link.js';
import { nearest } from './nearest.js';

/** How the kernel names architectures in the wrappers of system calls, by node's names. */
const prefixes: Readonly<Record<string, string>> = {
  x64: 'x64',
  ia32: 'ia32',
  arm: 'arm',
  arm64: 'arm64',
  s390x: 's390x',
  riscv64: 'riscv',
  ppc64: 'powerpc',
  loong64: 'loongarch',
  mips: 'mips',
};

/** `__x64_sys_bpf`: the function of a system call whose arguments come in one struct pt_regs (Linux 4.17). */
export function wrapperOf(kernel: Kernel, syscall: string): string {
  return `__${prefixes[kernel.arch] ?? kernel.arch}_sys_${syscall}`;
}

/**
 * Attaches to the function that does a system call: its wrapper where this kernel has wrappers, else `__se_sys_NAME`, as
 * libbpf's bpf_program__attach_ksyscall.
 */
export function attachKsyscall(attached: ProbeAttachment, syscall: string, isReturn: boolean): Link {
  const { kernel, program, what } = attached;
  const target = `${what} ${syscall}`.trim();
  if (!/^\w+$/.test(syscall)) {
    throw cannotAttach({ program, target }, 'ERR_BPF_ARGUMENT', {
      why: syscall === '' ? 'no system call is named' : 'a system call is named by letters, digits and _',
      hint: `Name it in the call: attach('execve')`,
    });
  }
  return attachFirstKprobe(attached, [wrapperOf(kernel, syscall), `__se_sys_${syscall}`], {
    isReturn,
    offset: 0,
    target,
    whyNone: () => whyNoSyscall(kernel, syscall),
  });
}

function whyNoSyscall(kernel: Kernel, syscall: string): Reason | undefined {
  const wrapper = wrapperOf(kernel, '');
  const names = functionsNamed(kernel, wrapper);
  if (names.length === 0 || names.includes(wrapper + syscall)) return undefined;
  const calls = names.map((name) => name.slice(wrapper.length));
  const bare = syscall.replace(/^(?:__\w+?_)?sys_/, '');
  const near = calls.includes(bare) ? [bare] : nearest(bare, calls);
  return {
    why: `this kernel has no system call ${syscall}`,
    ...(near.length > 0 ? { hint: `Similar names: ${near.join(', ')}` } : {}),
  };
}
