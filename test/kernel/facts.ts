import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync, readFileSync, statfsSync } from 'node:fs';
import { SyscallError } from '../../runtime/src/errors.js';
import { encodeInsns } from '../../runtime/src/insn.js';
import type { Kernel } from '../../runtime/src/kernel/kernel.js';
import { linuxKernel } from '../../runtime/src/kernel/linux.js';
import { BPF_ATTACH_TYPE, BPF_PROG_TYPE, kernelVersion } from '../../runtime/src/uapi.js';
import { kernelTypes } from './kernel-types.js';

/** True when tests may load programs. Without root there is nothing for this project to test. */
export const isRoot = process.getuid?.() === 0;

const BPF_FS_MAGIC = 0xcafe4a11;

/** Mounts what tests look at, where this machine has not. */
function mountWhatIsMissing(): void {
  if (!isRoot) return;
  if (!existsSync('/sys/kernel/tracing/events')) {
    execFileSync('mount', ['-t', 'tracefs', 'tracefs', '/sys/kernel/tracing']);
  }
  if (statfsSync('/sys/fs/bpf').type !== BPF_FS_MAGIC) {
    execFileSync('mount', ['-t', 'bpf', 'bpf', '/sys/fs/bpf']);
  }
}
mountWhatIsMissing();

/** Whether the kernel lets a program be attached to a function, tried without any code under test but system calls. */
function takesTrampolines(kernel: Kernel, attachType: number, type: number, name: string): boolean {
  const attachBtfId = kernelTypes().vmlinux.find(name, 'func');
  if (attachBtfId === undefined) return false;
  const insns = encodeInsns([{ code: 0xb7 }, { code: 0x95 }], kernel.littleEndian);
  let prog: number | undefined;
  try {
    prog = kernel.progLoad({ type, insns, license: 'GPL', expectedAttachType: attachType, attachBtfId });
    kernel.close(kernel.rawTracepointOpen(prog));
    return true;
  } catch (error) {
    if (!(error instanceof SyscallError)) throw error;
    return false;
  } finally {
    if (prog !== undefined) kernel.close(prog);
  }
}

/** Whether it has links of many kprobes: asked for none of them, a kernel built without fprobe says EOPNOTSUPP. */
function takesManyKprobes(kernel: Kernel): boolean {
  const insns = encodeInsns([{ code: 0xb7 }, { code: 0x95 }], kernel.littleEndian);
  const attachType = BPF_ATTACH_TYPE.TRACE_KPROBE_MULTI;
  const type = BPF_PROG_TYPE.KPROBE;
  const prog = kernel.progLoad({ type, insns, license: 'GPL', expectedAttachType: attachType });
  const options = { kind: 'kprobe_multi', functions: { addresses: new BigUint64Array() }, flags: 0 } as const;
  try {
    kernel.close(kernel.linkCreate({ prog, attachType, options }));
    return true;
  } catch (error) {
    if (!(error instanceof SyscallError)) throw error;
    return error.code !== 'EOPNOTSUPP' && kernel.version >= kernelVersion(5, 18);
  } finally {
    kernel.close(prog);
  }
}

function facts() {
  const kernel = linuxKernel();
  const { TRACING, LSM } = BPF_PROG_TYPE;
  const lsmPath = '/sys/kernel/security/lsm';
  // Not every kernel has securityfs; one without has no LSM to test either, so a refusal is an answer.
  if (!existsSync(lsmPath)) spawnSync('mount', ['-t', 'securityfs', 'securityfs', '/sys/kernel/security']);
  const modules = existsSync(lsmPath) ? readFileSync(lsmPath, 'utf8').trim().split(',') : [];
  return {
    /** Everything takes many times as long here: what another kernel shows as well can be left to it. */
    patience: !/^model name\s*:.*\bTCG\b/m.test(readFileSync('/proc/cpuinfo', 'utf8')),
    /** Programs on devices by bpf_link. */
    tcx: kernel.version >= kernelVersion(6, 6),
    netfilter: kernel.version >= kernelVersion(6, 4),
    /** One program several times at one raw tracepoint. */
    repeatedRawTracepoints: kernel.version >= kernelVersion(6, 10),
    manyKprobes: takesManyKprobes(kernel),
    kprobeSessions: takesManyKprobes(kernel) && kernel.version >= kernelVersion(6, 10),
    /** One link of many uprobes; without it there is one for each. */
    uprobeMulti: kernel.version >= kernelVersion(6, 6),
    uprobeSessions: kernel.version >= kernelVersion(6, 13),
    kprobes: existsSync('/sys/bus/event_source/devices/kprobe'),
    fentry: takesTrampolines(kernel, BPF_ATTACH_TYPE.TRACE_FENTRY, TRACING, 'do_unlinkat'),
    lsm:
      modules.includes('bpf') && takesTrampolines(kernel, BPF_ATTACH_TYPE.LSM_MAC, LSM, 'bpf_lsm_file_open'),
  };
}

/** What the running kernel has. A test that needs more says `it.runIf(kernelHas.kprobes)` and runs on another kernel. */
export const kernelHas = isRoot
  ? facts()
  : {
      patience: true,
      repeatedRawTracepoints: false,
      manyKprobes: false,
      kprobeSessions: false,
      uprobeMulti: false,
      uprobeSessions: false,
      tcx: false,
      netfilter: false,
      kprobes: false,
      fentry: false,
      lsm: false,
    };
