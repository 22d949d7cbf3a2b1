import type { Kernel, ProgLoad, TestRun, TestRunResult } from '../kernel/kernel.js';
import { type ErrnoName, refusal } from './refusal.js';

/** Which calls {@link Script.fail} is about. */
export interface FailingOptions {
  /** How often; without it, always. */
  readonly times?: number;
  /** Only for the map, program, path or device of this name. */
  readonly name?: string;
}

interface Failure {
  readonly errno: ErrnoName | number;
  readonly name: string | undefined;
  left: number;
}

interface Verdict {
  readonly log: string;
  readonly errno: ErrnoName | number;
}

/** What a test has arranged to go wrong, or differently. */
export class Script {
  readonly #failures = new Map<keyof Kernel, Failure[]>();
  readonly #verdicts = new Map<string, Verdict>();
  readonly #iterations = new Map<string, () => string | Uint8Array>();
  readonly #testRuns = new Map<string, (run: TestRun) => Partial<TestRunResult>>();

  fail(call: keyof Kernel, errno: ErrnoName | number, { times, name }: FailingOptions): void {
    const failures = this.#failures.get(call) ?? [];
    this.#failures.set(call, failures);
    failures.push({ errno, name, left: times ?? Number.POSITIVE_INFINITY });
  }

  /** Throws when `call`, of something called `name`, is to fail. */
  check(call: keyof Kernel, name?: string): void {
    const failure = this.#failures
      .get(call)
      ?.find((candidate) => candidate.left > 0 && (candidate.name ?? name) === name);
    if (failure === undefined) return;
    failure.left--;
    throw refusal(syscallOf(call), failure.errno, name);
  }

  reject(name: string, log: string, errno: ErrnoName | number): void {
    this.#verdicts.set(cut(name), { log, errno });
  }

  /** Throws when the verifier is to refuse this program, after it wrote its log as the kernel does. */
  verify({ name = '', log }: ProgLoad): void {
    const verdict = this.#verdicts.get(cut(name));
    if (verdict === undefined) return;
    if (log !== undefined) {
      const text = new TextEncoder().encode(`${verdict.log}\0`);
      log.buffer.fill(0);
      log.buffer.set(text.subarray(0, log.buffer.length));
      if (text.length > log.buffer.length) {
        log.buffer[log.buffer.length - 1] = 0;
        throw refusal('bpf(BPF_PROG_LOAD)', 'ENOSPC');
      }
    }
    throw refusal('bpf(BPF_PROG_LOAD)', verdict.errno);
  }

  answerIteration(name: string, write: () => string | Uint8Array): void {
    this.#iterations.set(cut(name), write);
  }

  /** What the program of an iterator writes in one pass. */
  iterate(name: string): string | Uint8Array {
    return this.#iterations.get(cut(name))?.() ?? '';
  }

  answerTestRun(name: string, answer: (run: TestRun) => Partial<TestRunResult>): void {
    this.#testRuns.set(cut(name), answer);
  }

  testRun(name: string, run: TestRun): TestRunResult {
    const unchanged: TestRunResult = {
      returnValue: 0,
      duration: 0,
      data: run.data?.slice() ?? new Uint8Array(0),
      context: run.context?.slice() ?? new Uint8Array(0),
    };
    return { ...unchanged, ...this.#testRuns.get(cut(name))?.(run) };
  }
}

/** Names of programs end after 15 characters in the kernel. */
function cut(name: string): string {
  return name.slice(0, 15);
}

const commands: Readonly<Partial<Record<keyof Kernel, string>>> = {
  mapCreate: 'MAP_CREATE',
  mapLookup: 'MAP_LOOKUP_ELEM',
  mapUpdate: 'MAP_UPDATE_ELEM',
  mapDelete: 'MAP_DELETE_ELEM',
  mapLookupAndDelete: 'MAP_LOOKUP_AND_DELETE_ELEM',
  mapNextKey: 'MAP_GET_NEXT_KEY',
  mapFreeze: 'MAP_FREEZE',
  mapLookupBatch: 'MAP_LOOKUP_BATCH',
  mapUpdateBatch: 'MAP_UPDATE_BATCH',
  mapDeleteBatch: 'MAP_DELETE_BATCH',
  mapInfo: 'OBJ_GET_INFO_BY_FD',
  mapById: 'MAP_GET_FD_BY_ID',
  progLoad: 'PROG_LOAD',
  progTestRun: 'PROG_TEST_RUN',
  btfLoad: 'BTF_LOAD',
  btfBytes: 'OBJ_GET_INFO_BY_FD',
  btfObjects: 'BTF_GET_NEXT_ID',
  progQuery: 'PROG_QUERY',
  progAttach: 'PROG_ATTACH',
  progDetach: 'PROG_DETACH',
  linkCreate: 'LINK_CREATE',
  linkUpdate: 'LINK_UPDATE',
  linkDetach: 'LINK_DETACH',
  linkInfo: 'OBJ_GET_INFO_BY_FD',
  iterCreate: 'ITER_CREATE',
  rawTracepointOpen: 'RAW_TRACEPOINT_OPEN',
  pin: 'OBJ_PIN',
  pinned: 'OBJ_GET',
  progBindMap: 'PROG_BIND_MAP',
  progAssocStructOps: 'PROG_ASSOC_STRUCT_OPS',
};
const others: Readonly<Partial<Record<keyof Kernel, string>>> = {
  readFile: 'open',
  writeFile: 'write',
  buildConfig: 'open',
  listDirectory: 'open',
  fileFacts: 'stat',
  openFile: 'open',
  iterRead: 'read',
  pidfdOpen: 'pidfd_open',
  unpin: 'unlink',
  perfEventOpen: 'perf_event_open',
  perfEventSetBpf: 'ioctl(PERF_EVENT_IOC_SET_BPF)',
  perfEventEnable: 'ioctl(PERF_EVENT_IOC_ENABLE)',
  perfEventDisable: 'ioctl(PERF_EVENT_IOC_DISABLE)',
  perfEventPauseOutput: 'ioctl(PERF_EVENT_IOC_PAUSE_OUTPUT)',
  ifindex: 'if_nametoindex',
  xdpSet: 'netlink',
  xdpQuery: 'netlink',
  clsactCreate: 'netlink(RTM_NEWQDISC)',
  clsactDelete: 'netlink(RTM_DELQDISC)',
  filterQdisc: 'netlink(RTM_GETQDISC)',
  filterSet: 'netlink(RTM_NEWTFILTER)',
  filterDelete: 'netlink(RTM_DELTFILTER)',
  filterQuery: 'netlink(RTM_GETTFILTER)',
  routeCreate: 'netlink(RTM_NEWROUTE)',
  routeDelete: 'netlink(RTM_DELROUTE)',
  packetSocket: 'socket',
  socketAttach: 'setsockopt(SO_ATTACH_BPF)',
  socketDetach: 'setsockopt(SO_DETACH_BPF)',
  reuseportAttach: 'setsockopt(SO_ATTACH_REUSEPORT_EBPF)',
  reuseportDetach: 'setsockopt(SO_DETACH_REUSEPORT_BPF)',
  duplicate: 'fcntl(F_DUPFD_CLOEXEC)',
  fileSystem: 'statfs',
  watch: 'epoll_ctl',
};

function syscallOf(call: keyof Kernel): string {
  const command = commands[call];
  return command === undefined ? (others[call] ?? call) : `bpf(BPF_${command})`;
}
