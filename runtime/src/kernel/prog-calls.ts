import type { Fd } from './fd.js';

/** The part of the seam that is about programs. */
export interface ProgCalls {
  /** On refusal the error is thrown after the kernel filled `prog.log`. */
  progLoad(prog: ProgLoad): Fd;
  progTestRun(fd: Fd, run: TestRun): TestRunResult;
  progInfo(fd: Fd): ProgInfo;
  /** BPF_PROG_BIND_MAP: keeps a map alive with a program that does not use it (since 5.10). */
  progBindMap(prog: Fd, map: Fd): void;
  /** BPF_PROG_ASSOC_STRUCT_OPS: tells kfuncs that the program calls which struct_ops map is its own (since 7.0). */
  progAssocStructOps(prog: Fd, map: Fd): void;
  /** The fd of a loaded program by its id; ENOENT when it is gone. */
  progById(id: number): Fd;
}

/** The verifier's log: `buffer` is filled as a C string. Level 1 explains, 2 explains at length, 4 prints statistics. */
export interface VerifierLog {
  level: number;
  buffer: Uint8Array;
  /** Set by progLoad(): bytes the whole log would take, 0 where the kernel does not say (before 6.4). */
  trueSize?: number;
}

export interface ProgLoad {
  type: number;
  insns: Uint8Array;
  license: string;
  expectedAttachType?: number;
  name?: string;
  kernelVersion?: number;
  flags?: number;
  ifindex?: number;
  btfFd?: Fd;
  funcInfo?: { recordSize: number; bytes: Uint8Array };
  lineInfo?: { recordSize: number; bytes: Uint8Array };
  attachBtfId?: number;
  /** The BTF object `attachBtfId` counts in (a module), or the program to extend; never both. */
  attachBtfObjFd?: Fd;
  attachProgFd?: Fd;
  fdArray?: Int32Array;
  tokenFd?: Fd;
  log?: VerifierLog;
}

export interface ProgInfo {
  type: number;
  id: number;
  name: string;
  /** SHA-1 prefix of the loaded instructions, 16 hex digits, as bpftool prints it. */ tag: string;
  /** Bytes of translated and of native code. */ xlatedSize: number;
  jitedSize: number;
  verifiedInsns: number;
  mapIds: readonly number[];
  btfId: number;
}

export interface TestRun {
  data?: Uint8Array;
  context?: Uint8Array;
  dataOutSize?: number;
  contextOutSize?: number;
  repeat?: number;
  flags?: number;
  cpu?: number;
  batchSize?: number;
}
export interface TestRunResult {
  returnValue: number;
  /** Average of one run in nanoseconds. */ duration: number;
  data: Uint8Array;
  context: Uint8Array;
}
