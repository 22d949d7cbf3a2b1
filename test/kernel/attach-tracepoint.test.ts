import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync, rmSync } from 'node:fs';
import { afterEach, describe, expect, it } from 'vitest';
import { syscallError } from '../../runtime/src/kernel/errno.js';
import {
  IterProgram,
  RawTracepointProgram,
  TpBtfProgram,
  TracepointProgram,
} from '../../runtime/src/program/index.js';
import { type Counter, loadCounter } from './counter.js';
import { kernelHas } from './facts.js';
import { expectRefusal, linkContract } from './link-contract.js';

const trigger = () => execFileSync('true');

const already = /attached there already, and this kernel runs a program once in one place \(EEXIST\)/;
const twice = kernelHas.repeatedRawTracepoints ? 'runs' : already;

linkContract({
  name: 'a tracepoint program',
  load: () => loadCounter('tracepoint/sched/sched_process_exec'),
  attach: ({ handle }) => new TracepointProgram(handle).attach(),
  trigger,
  twice: already,
});

linkContract({
  name: 'a tracepoint program on a kernel without perf links',
  pins: false,
  load: () =>
    loadCounter('tp/sched/sched_process_exec', 0, {
      linkCreate: () => {
        throw syscallError('bpf(BPF_LINK_CREATE)', 22);
      },
    }),
  attach: ({ handle }) => new TracepointProgram(handle).attach(),
  trigger,
  twice: already,
});

linkContract({
  name: 'a raw tracepoint program',
  load: () => loadCounter('raw_tp/sched_process_exec'),
  attach: ({ handle }) => new RawTracepointProgram(handle).attach(),
  trigger,
  twice,
});

linkContract({
  name: 'a tp_btf program',
  load: () => loadCounter('tp_btf/sched_process_exec'),
  attach: ({ handle }) => new TpBtfProgram(handle).attach(),
  trigger,
  twice,
});

linkContract({
  name: 'a tp_btf program on a kernel without tracing links',
  load: () =>
    loadCounter('tp_btf/sched_process_exec', 0, {
      linkCreate: () => {
        throw syscallError('bpf(BPF_LINK_CREATE)', 22);
      },
    }),
  attach: ({ handle }) => new TpBtfProgram(handle).attach(),
  trigger,
  twice,
});

describe('tracepoints', () => {
  let counter: Counter | undefined;
  afterEach(() => counter?.close());

  it('that do not exist are refused with their neighbours', () => {
    counter = loadCounter('tp/sched/sched_process_exek');
    const program = new TracepointProgram(counter.handle);
    expectRefusal(
      () => program.attach(),
      /attach "counter" to tracepoint sched\/sched_process_exek: this kernel has no tracepoint .*It has sched\/sched_process_exec/,
    );
  });

  it('are taken with a cookie', () => {
    counter = loadCounter('tp');
    const link = new TracepointProgram(counter.handle).attach('sched', 'sched_process_exec', { cookie: 7n });
    expect(link.info().progId).toBe(counter.handle.kernel.progInfo(counter.handle.fd()).id);
  });

  it('that are raw and do not exist are refused with their neighbours', () => {
    counter = loadCounter('raw_tp/sched_process_exek');
    const program = new RawTracepointProgram(counter.handle);
    expectRefusal(
      () => program.attach(),
      /no tracepoint sched_process_exek \(ENOENT\)\. Similar names: sched_process_exec/,
    );
  });

  it('stay attached through a pin, and end when it goes', () => {
    counter = loadCounter('tp/sched/sched_process_exec');
    const path = '/sys/fs/bpf/bpfskel-test-tracepoint';
    const link = new TracepointProgram(counter.handle).attach();
    link.pin(path);
    try {
      link.detach();
      const before = counter.runs();
      trigger();
      expect(counter.runs()).toBeGreaterThan(before);
    } finally {
      rmSync(path);
    }
    expect(existsSync(path)).toBe(false);
    const after = counter.runs();
    trigger();
    expect(counter.runs()).toBe(after);
  });
});

describe('an iterator', () => {
  it('runs when its pin is read', () => {
    const counter = loadCounter('iter/task');
    const path = '/sys/fs/bpf/bpfskel-test-iter';
    try {
      const link = new IterProgram(counter.handle).attach();
      link.pin(path);
      readFileSync(path);
      // Once for each task, and once to end.
      expect(counter.runs()).toBeGreaterThan(2);
    } finally {
      rmSync(path, { force: true });
      counter.close();
    }
  });
});
