import { describe, expect, it } from 'vitest';
import { BpfError, NotSupportedError } from '../../runtime/src/errors.js';
import { ERRNO, syscallError } from '../../runtime/src/kernel/errno.js';
import type { Kernel, PerfEvent } from '../../runtime/src/kernel/kernel.js';
import { PerfEventProgram, type PerfEventTarget } from '../../runtime/src/program/index.js';
import { type FakeHost, fakeHost, handleFor } from './fake-host.js';

const devices = '/sys/bus/event_source/devices';
const clock = { type: 'software', config: 'cpu-clock', frequency: 99 } as const;

interface Opening extends FakeHost {
  readonly events: PerfEvent[];
}

/** A host with these CPUs; `refuse` may refuse some events. */
function hostWith(
  cpus: readonly number[] = [0, 1],
  refuse: (event: PerfEvent) => keyof typeof ERRNO | undefined = () => undefined,
  over: Partial<Kernel> = {},
): Opening {
  const events: PerfEvent[] = [];
  let next = 100;
  const host = fakeHost({
    onlineCpus: () => cpus,
    perfEventOpen: (event) => {
      const errno = refuse(event);
      if (errno !== undefined) throw syscallError('perf_event_open', ERRNO[errno]);
      events.push(event);
      next += 1;
      return next;
    },
    ...over,
  });
  host.file(`${devices}/software/type`, '1\n');
  host.file(`${devices}/msr/type`, '9\n');
  return { ...host, events };
}

const at = (host: FakeHost) =>
  new PerfEventProgram(handleFor(host, { name: 'sample', section: 'perf_event' }));

describe('attaching to a perf event', () => {
  it('opens it on every CPU and gives one link', () => {
    const host = hostWith([0, 2]);
    const link = at(host).attach({ ...clock, cookie: 7n });
    expect(host.events).toEqual([
      { type: 1, config: 0n, sampleFrequency: 99n, pid: -1, cpu: 0 },
      { type: 1, config: 0n, sampleFrequency: 99n, pid: -1, cpu: 2 },
    ]);
    expect(host.calls.filter((call) => call.startsWith('linkCreate'))).toEqual(
      [101, 102].map(
        (fd) =>
          `linkCreate({"prog":9,"attachType":41,"target":{"fd":${fd}},"options":{"kind":"perf_event","cookie":"7n"}})`,
      ),
    );
    expect(link.target).toBe('perf event cpu-clock');
    expect(host.open.size).toBe(4);
    link.detach();
    link.detach();
    expect(host.open.size).toBe(0);
  });

  it('says that many links cannot be one pin', () => {
    const link = at(hostWith()).attach(clock);
    expect(() => link.pin('/sys/fs/bpf/x')).toThrow(NotSupportedError);
    expect(() => link.info()).toThrow(
      'read the info of link of "sample" to perf event cpu-clock: it is 2 links of the kernel, one for each CPU or thread',
    );
    link.detach();
    expect(() => link.pin('/sys/fs/bpf/x')).toThrow('it is detached');
  });

  it('gives a link that can be pinned on one CPU', () => {
    const link = at(hostWith()).attach({ ...clock, cpu: 1 });
    expect(link.target).toBe('perf event cpu-clock on CPU 1');
    expect(link.info().id).toBe(3);
  });

  it('counts in the threads of a process, and in those to come', () => {
    const host = hostWith();
    host.file('/proc/70/task/70/comm', 'a');
    host.file('/proc/70/task/71/comm', 'b');
    const link = at(host).attach({
      type: 'software',
      config: 'page-faults',
      period: 1,
      pid: 70,
      inherit: true,
    });
    expect(host.events).toEqual([
      { type: 1, config: 2n, samplePeriod: 1n, pid: 70, cpu: -1, inherit: true },
      { type: 1, config: 2n, samplePeriod: 1n, pid: 71, cpu: -1, inherit: true },
    ]);
    expect(link.target).toBe('perf event page-faults of process 70');
    at(hostWith()).attach({ ...clock, pid: 70 });
  });

  const choices: [PerfEventTarget, Partial<PerfEvent>, string][] = [
    [
      { type: 'hardware', config: 'cpu-cycles', period: 1000n },
      { type: 0, config: 0n, samplePeriod: 1000n },
      'cpu-cycles',
    ],
    [{ type: 'hardware', config: 'ref-cycles', frequency: 1 }, { type: 0, config: 9n }, 'ref-cycles'],
    [{ type: 'software', config: 'cgroup-switches', period: 1 }, { type: 1, config: 11n }, 'cgroup-switches'],
    [{ type: 'cache', config: 'L1-dcache-loads', period: 1 }, { type: 3, config: 0n }, 'L1-dcache-loads'],
    [
      { type: 'cache', config: 'LLC-load-misses', period: 1 },
      { type: 3, config: 0x10002n },
      'LLC-load-misses',
    ],
    [
      { type: 'cache', config: 'dTLB-store-misses', period: 1 },
      { type: 3, config: 0x10103n },
      'dTLB-store-misses',
    ],
    [{ type: 'raw', config: 0x1a8n, period: 1 }, { type: 4, config: 0x1a8n }, 'raw 0x1a8'],
    [
      { type: 'pmu', pmu: 'msr', config: 1, config1: 2n, period: 1 },
      { type: 9, config: 1n, config1: 2n },
      'msr 0x1',
    ],
    [
      { type: 'breakpoint', address: 0xffff_8000n, access: 'write' },
      { type: 5, config: 0n, config1: 0xffff_8000n, config2: 4n, breakpointType: 2, samplePeriod: 1n },
      'breakpoint 0xffff8000',
    ],
    [
      { type: 'breakpoint', address: 16n, access: 'execute', period: 5 },
      { type: 5, config2: 8n, breakpointType: 4, samplePeriod: 5n },
      'breakpoint 0x10',
    ],
  ];
  it.each(choices)('knows %o', (target, event, text) => {
    const host = hostWith([0]);
    expect(at(host).attach(target).target).toBe(`perf event ${text}`);
    expect(host.events[0]).toMatchObject(event);
  });

  it('leaves out CPUs and threads that ended meanwhile', () => {
    let asked = 0;
    const host = hostWith([0], (event) => (event.cpu === 1 ? 'ENODEV' : undefined), {
      onlineCpus: () => (asked++ === 0 ? [0, 1] : [0]),
    });
    expect(at(host).attach(clock).info().id).toBe(3);
    const process = hostWith([0], (event) => (event.pid === 71 ? 'ESRCH' : undefined));
    process.file('/proc/70/task/70/comm', 'a');
    process.file('/proc/70/task/71/comm', 'b');
    at(process).attach({ ...clock, pid: 70 });
    expect(process.events).toHaveLength(1);
  });

  it.each(['perfEventOpen', 'linkCreate', 'perfEventEnable'] as const)(
    'leaks nothing when the second %s fails',
    (method) => {
      const host = hostWith([0, 1]);
      let calls = 0;
      const kernel = new Proxy(host.kernel, {
        get(target, key, receiver) {
          const value: unknown = Reflect.get(target, key, receiver);
          if (key !== method || typeof value !== 'function') return value;
          return (...args: unknown[]) => {
            calls += 1;
            if (calls === 2) throw syscallError(method, ERRNO.EACCES);
            return value.apply(target, args);
          };
        },
      });
      const program = new PerfEventProgram({ ...handleFor(host, { section: 'perf_event' }), kernel });
      expect(() => program.attach(clock)).toThrow(BpfError);
      expect(calls).toBe(2);
      expect(host.open.size).toBe(0);
    },
  );
});

describe('a perf event that cannot be attached', () => {
  const misuse: [string, unknown, string][] = [
    ['no period', { type: 'software', config: 'cpu-clock' }, 'one of them, not both'],
    ['both', { ...clock, period: 1 }, 'one of them, not both'],
    [
      'a period of 0',
      { type: 'software', config: 'cpu-clock', period: 0 },
      'a period of 0 is no positive whole number',
    ],
    ['half a hertz', { ...clock, frequency: 0.5 }, 'a frequency of 0.5 is no positive whole number'],
    [
      'an endless period',
      { type: 'software', config: 'cpu-clock', period: 2n ** 63n },
      'is no positive whole number',
    ],
    ['inherit for everybody', { ...clock, inherit: true }, 'inherit is about the process that pid names'],
    [
      'a misspelled event',
      { type: 'software', config: 'cpu-clok', period: 1 },
      'no software event called cpu-clok. Similar names: cpu-clock',
    ],
    [
      'an event of nobody',
      { type: 'cache', config: 'zzz', period: 1 },
      'no cache event called zzz. Among others there are: L1-dcache-loads',
    ],
    [
      'an unknown type',
      { type: 'tracepoint', config: 'a', period: 1 },
      'there is no type of perf event called tracepoint',
    ],
    [
      'an unknown unit',
      { type: 'pmu', pmu: '../..', config: 1, period: 1 },
      'no event source ../... It has software, msr',
    ],
  ];
  it.each(misuse)('is refused: %s', (_name, target, text) => {
    const host = hostWith();
    expect(() => at(host).attach(target as PerfEventTarget)).toThrow(text);
    expect(host.events).toEqual([]);
  });

  const refusals: [string, keyof typeof ERRNO, PerfEventTarget, string][] = [
    [
      'no counters',
      'ENOENT',
      { type: 'hardware', config: 'cpu-cycles', period: 1 },
      "attach \"sample\" to perf event cpu-cycles: this machine has no hardware counters, as most virtual machines, so there is no cpu-cycles (ENOENT). Use { type: 'software', config: 'cpu-clock' }",
    ],
    ['no such process', 'ESRCH', { ...clock, pid: 70 }, 'of process 70: there is no process 70'],
    ['a CPU that is off', 'EINVAL', { ...clock, cpu: 9 }, 'CPU 9 is not running (EINVAL). These are: 0, 1'],
    [
      'too many samples',
      'EINVAL',
      { ...clock, frequency: 100_001 },
      '100001 samples a second are more than the 100000',
    ],
    [
      'no debug register left',
      'ENOSPC',
      { type: 'breakpoint', address: 8n, access: 'read' },
      'every debug register of the processor is in use',
    ],
    [
      'no kprobes',
      'EINVAL',
      { type: 'breakpoint', address: 0xffffffff81000000n, access: 'execute' },
      'this kernel has no kprobes, and so lets no breakpoint watch its code',
    ],
    ['too many files', 'EMFILE', clock, 'this process may not open more files'],
    ['something else', 'ENOMEM', clock, 'cannot allocate memory'],
  ];
  it.each(refusals)('says why: %s (%s)', (_name, errno, target, text) => {
    const host = hostWith([0, 1], () => errno);
    host.file('/proc/sys/kernel/perf_event_max_sample_rate', '100000\n');
    expect(() => at(host).attach(target)).toThrow(text);
  });

  it('tells counters that cannot sample from none', () => {
    const host = hostWith([0], () => 'EOPNOTSUPP');
    host.file(`${devices}/cpu_core/type`, '4\n');
    expect(() => at(host).attach({ type: 'hardware', config: 'cpu-cycles', period: 1 })).toThrow(
      'the counters of this machine cannot sample cpu-cycles',
    );
  });

  it('names the missing capability and the paranoia', () => {
    const host = hostWith([0], () => 'EACCES');
    host.file('/proc/self/status', 'CapEff:\t0000000000000000\nSeccomp:\t0\n');
    host.file('/proc/sys/kernel/perf_event_paranoid', '4\n');
    expect(() => at(host).attach(clock)).toThrow(
      'this process lacks CAP_PERFMON (kernel.perf_event_paranoid is 4) (EACCES)',
    );
  });
});
