import { describe, expect, it } from 'vitest';
import { RawTracepointProgram, TracepointProgram } from '../../runtime/src/program/index.js';
import { fakeHost, handleFor } from './fake-host.js';

const tracing = '/sys/kernel/tracing';

function hostWithEvents(root = tracing) {
  const host = fakeHost();
  host.file(`${root}/events/sched/sched_switch/id`, '316\n');
  host.file(`${root}/events/syscalls/sys_enter_openat/id`, '690\n');
  host.file(`${root}/available_events`, 'sched:sched_switch\nsyscalls:sys_enter_openat\n');
  return host;
}

const on = (host: ReturnType<typeof fakeHost>, section: string) =>
  new TracepointProgram(handleFor(host, { name: 'trace', section }));
const raw = (host: ReturnType<typeof fakeHost>, section: string) =>
  new RawTracepointProgram(handleFor(host, { name: 'trace', section }));

describe('attaching a tracepoint', () => {
  it.each([tracing, '/sys/kernel/debug/tracing'])('finds its id under %s', (root) => {
    const host = hostWithEvents(root);
    const link = on(host, 'tp/sched/sched_switch').attach();
    expect(host.calls[0]).toBe('perfEventOpen({"type":2,"config":"316n","pid":-1,"cpu":0})');
    expect(link.target).toBe('tracepoint sched/sched_switch');
    link.detach();
    link.detach();
    expect(host.open.size).toBe(0);
  });

  it('takes category, name and cookie from the call', () => {
    const host = hostWithEvents();
    on(host, 'tracepoint').attach('syscalls', 'sys_enter_openat', { cookie: 2n });
    expect(host.calls[0]).toContain('"config":"690n"');
    expect(host.calls[1]).toContain('"cookie":"2n"');
  });

  it('takes a cookie alone, for the tracepoint that SEC() names', () => {
    const host = hostWithEvents();
    on(host, 'tp/sched/sched_switch').attach({ cookie: 3n });
    expect(host.calls[0]).toContain('"config":"316n"');
    expect(host.calls[1]).toContain('"cookie":"3n"');
  });

  const refusals: [string, string][] = [
    ['tp/sched/sched_swich', 'this kernel has no tracepoint sched/sched_swich. It has sched/sched_switch'],
    [
      'tp/syscall/sys_enter_openat',
      'no tracepoint syscall/sys_enter_openat. It has syscalls/sys_enter_openat',
    ],
    ['tp/sched/nothing_like_it', 'no tracepoint sched/nothing_like_it. Category sched has sched_switch'],
    ['tp/zzzzzz/qqqqqqqqqqqq', 'this kernel has no tracepoint category zzzzzz'],
    ['tp/../../etc', 'this kernel has no tracepoint'],
    ['tp/sched', 'SEC() names no category/name'],
    ['tp', 'SEC() names no category/name'],
  ];
  it.each(refusals)('answers SEC("%s") with %s', (section, text) => {
    const host = hostWithEvents();
    expect(() => on(host, section).attach()).toThrow(text);
    expect(host.calls).toEqual([]);
  });

  it('does not take half a name', () => {
    // @ts-expect-error half a name
    expect(() => on(hostWithEvents(), 'tp/sched/sched_switch').attach('syscalls')).toThrow(
      'a category needs a name',
    );
  });

  it('tells how to mount tracefs', () => {
    expect(() => on(fakeHost(), 'tp/sched/sched_switch').attach()).toThrow(
      'tracefs is not mounted at /sys/kernel/tracing. Mount it: mount -t tracefs',
    );
  });

  it('tells a closed tracefs from a missing one', () => {
    const host = fakeHost();
    host.file('/proc/mounts', 'tracefs /sys/kernel/tracing tracefs rw 0 0\n');
    expect(() => on(host, 'tp/sched/sched_switch').attach()).toThrow(
      'tracefs at /sys/kernel/tracing is closed',
    );
  });
});

describe('attaching a raw tracepoint', () => {
  it('opens it by name and closes it once', () => {
    const host = hostWithEvents();
    const link = raw(host, 'raw_tp/sched_switch').attach();
    expect(host.calls).toEqual(['rawTracepointOpen(9, "sched_switch")']);
    link.detach();
    link.detach();
    expect(host.calls).toEqual(['rawTracepointOpen(9, "sched_switch")', 'close(11)']);
  });

  it('names what is similar to an unknown one', () => {
    const host = hostWithEvents();
    host.refuse('rawTracepointOpen', 'ENOENT');
    expect(() => raw(host, 'raw_tp/sched_swich').attach()).toThrow(
      'attach "trace" to raw tracepoint sched_swich: this kernel has no tracepoint sched_swich (ENOENT). Similar names: sched_switch',
    );
  });

  it('names the tracepoint of a name with a category', () => {
    const host = hostWithEvents();
    host.refuse('rawTracepointOpen', 'ENOENT');
    expect(() => raw(host, 'raw_tp/sched/sched_switch').attach()).toThrow('Similar names: sched_switch');
  });

  it('says why it cannot name similar ones', () => {
    const host = fakeHost();
    host.refuse('rawTracepointOpen', 'ENOENT');
    expect(() => raw(host, 'raw_tp/sched_swich').attach()).toThrow(
      'this kernel has no tracepoint sched_swich; what it has cannot be listed, because tracefs is not mounted at /sys/kernel/tracing (ENOENT). Mount it: mount',
    );
  });

  it('names the missing capability', () => {
    const host = hostWithEvents();
    host.refuse('rawTracepointOpen', 'EPERM');
    host.file('/proc/self/status', 'CapEff:\t0000000000000000\nSeccomp:\t0\n');
    expect(() => raw(host, 'raw_tp/sched_switch').attach()).toThrow(
      'this process lacks CAP_BPF and CAP_PERFMON',
    );
  });

  it('asks for a name when SEC() has none', () => {
    expect(() => raw(hostWithEvents(), 'raw_tp').attach()).toThrow('SEC() names no tracepoint');
  });
});
