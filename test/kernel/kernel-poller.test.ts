import { describe, expect, it } from 'vitest';
import { type ChildResult, prelude, runChild } from './child.js';

function output(result: ChildResult): string {
  expect({ status: result.status, signal: result.signal, stderr: result.stderr }).toEqual({
    status: 0,
    signal: null,
    stderr: '',
  });
  return result.stdout.trim();
}

/** Emulated machines are slow: times are compared with those of an empty run. */
const empty = runChild('').milliseconds;

describe.each(['uvWaiter', 'poolWaiter'])('watching with %s', (waiter) => {
  const start = `const poller = createPoller(libc, ${waiter});`;

  it('calls back once per event, with promises and ticks running', () => {
    const child = runChild(`${start}
      const fd = makeEvent();
      let calls = 0, resolved;
      const watch = poller.watch(fd, async () => {
        calls++; drain(fd);
        await null; await new Promise((done) => process.nextTick(done));
        resolved();
      });
      for (let i = 0; i < 50; i++) {
        const seen = new Promise((done) => { resolved = done; });
        signal(fd);
        await seen;
      }
      watch.stop();
      console.log(calls);`);
    expect(output(child)).toBe('50');
  });

  it('goes on calling while something is left, and does not starve timers meanwhile', () => {
    const child = runChild(`${start}
      const fd = makeEvent(); signal(fd);
      let calls = 0, ticks = 0;
      const timer = setInterval(() => { ticks++; }, 1);
      const watch = poller.watch(fd, () => { calls++; });
      await until(() => calls > 20 && ticks > 5);
      watch.stop(); clearInterval(timer);
      const after = calls; await sleep(20);
      console.log(calls > 20, ticks > 5, calls === after);`);
    expect(output(child)).toBe('true true true');
  });

  it('costs no CPU while idle and survives garbage collection', () => {
    const child = runChild(
      `${start}
      const fd = makeEvent();
      let calls = 0;
      const watch = poller.watch(fd, () => { calls++; drain(fd); });
      const pressure = () => { for (let i = 0; i < 5; i++) { new Array(1e5).fill({}); gc(); } };
      pressure(); await sleep(50);
      const before = process.cpuUsage(); await sleep(1000);
      const { user, system } = process.cpuUsage(before);
      pressure();
      signal(fd); await until(() => calls > 0);
      watch.stop();
      console.log(JSON.stringify({ cpu: (user + system) / 1000, calls }));`,
      ['--expose-gc'],
    );
    const { cpu, calls } = JSON.parse(output(child));
    expect(calls).toBe(1);
    // 20 ms of a second on a machine where an empty process takes 150 ms.
    expect(cpu).toBeLessThan(20 * Math.max(1, empty / 150));
  });

  it('keeps the process alive until stopped, and lets it end then', () => {
    const child = runChild(`${start}
      const fd = makeEvent();
      const watch = poller.watch(fd, () => { drain(fd); console.log('seen'); watch.stop(); });
      setTimeout(() => signal(fd), 300).unref();
      setTimeout(() => console.log('late'), 20_000 + ${Math.round(empty)} * 20).unref();`);
    // Were the process not kept alive it would end before the timer, which is unreferenced.
    expect(output(child)).toBe('seen');
  });

  it('may be stopped and started again and again, in any order with closing', () => {
    const child = runChild(`${start}
      let calls = 0;
      for (let i = 0; i < 20; i++) {
        const fd = makeEvent();
        const watch = poller.watch(fd, () => { calls++; drain(fd); });
        signal(fd); await until(() => calls > i);
        if (i % 2) { libc.close(fd); watch.stop(); } else { watch.stop(); libc.close(fd); }
        watch.stop();
        if (i % 3 === 0) await sleep(5);
      }
      console.log(calls);`);
    expect(output(child)).toBe('20');
  });

  it('holds many descriptors, and one of them twice', () => {
    const child = runChild(`${start}
      const all = Array.from({ length: 200 }, makeEvent);
      const seen = new Map();
      const watches = all.map((fd, i) => poller.watch(fd, () => { drain(fd); seen.set(i, true); }));
      const twice = makeEvent();
      watches.push(poller.watch(twice, () => seen.set('a', true)), poller.watch(twice, () => seen.set('b', true)));
      all.forEach(signal); signal(twice);
      await until(() => seen.size === 202);
      for (const watch of watches) watch.stop();
      console.log(seen.size);`);
    expect(output(child)).toBe('202');
  });

  it('lets a callback stop the watches behind it', () => {
    const child = runChild(`${start}
      const a = makeEvent(), b = makeEvent();
      signal(a); signal(b);
      let calls = 0;
      const stopAll = () => { calls++; first.stop(); second.stop(); };
      const first = poller.watch(a, stopAll), second = poller.watch(b, stopAll);
      await until(() => calls > 0); await sleep(50);
      console.log(calls);`);
    expect(output(child)).toBe('1');
  });

  it('makes an exception of a callback an uncaught one, and goes on after it', () => {
    const child = runChild(`${start}
      const caught = [];
      process.on('uncaughtException', (error) => caught.push(error.message));
      const bad = makeEvent(), good = makeEvent();
      let calls = 0;
      const first = poller.watch(bad, () => { drain(bad); throw new Error('from ready'); });
      const second = poller.watch(good, () => { calls++; drain(good); });
      for (let i = 1; i <= 3; i++) { signal(bad); signal(good); await until(() => calls === i && caught.length === i); }
      first.stop(); second.stop();
      console.log(caught.join(), calls);`);
    expect(output(child)).toBe('from ready,from ready,from ready 3');
  });

  it('ends the process with the trace of an exception nobody catches', () => {
    const child = runChild(`${start}
      const fd = makeEvent(); signal(fd);
      poller.watch(fd, function ready() { throw new Error('from ready'); });`);
    expect(child.status).toBe(1);
    expect(child.stderr).toMatch(/Error: from ready\n\s+at ready/);
  });

  it('refuses what cannot be watched, and stays usable', () => {
    const child = runChild(`${start}
      import { openSync } from 'node:fs';
      const codes = [9999, openSync('/etc/passwd')].map((fd) => {
        try { poller.watch(fd, () => undefined); return 'watched'; } catch (error) { return error.code; }
      });
      const fd = makeEvent(); signal(fd);
      const watch = poller.watch(fd, () => { watch.stop(); codes.push('seen'); });
      await until(() => codes.length > 2);
      console.log(codes.join());`);
    expect(output(child)).toBe('EBADF,EPERM,seen');
  });

  it('does not delay process.exit', () => {
    const child = runChild(`${start}
      poller.watch(makeEvent(), () => undefined);
      setTimeout(() => process.exit(0), 10);`);
    expect(output(child)).toBe('');
    expect(child.milliseconds - empty).toBeLessThan(2000 + empty * 5);
  });
});

describe('worker threads', () => {
  const worker = (body: string) => `
    import { Worker } from 'node:worker_threads';
    const make = () => new Worker(new URL('data:text/javascript,' + encodeURIComponent(${JSON.stringify(
      `${prelude}
      import { parentPort } from 'node:worker_threads';
      const fd = makeEvent();
      const watch = kernel.watch(fd, () => { drain(fd); parentPort.postMessage('seen'); });
      setTimeout(() => signal(fd), 20);`,
    )})));
    ${body}`;

  it('watch too, and may be terminated while they do', () => {
    const child = runChild(
      worker(`
      let seen = 0;
      for (let i = 0; i < 4; i++) {
        const thread = make();
        await new Promise((done) => thread.once('message', done)); seen++;
        await thread.terminate();
      }
      // The main thread watches on, in its own way.
      const fd = makeEvent(); signal(fd);
      const watch = kernel.watch(fd, () => { watch.stop(); console.log(seen); });`),
    );
    expect(output(child)).toBe('4');
  });

  it('may end by themselves, or with the process, while they watch', () => {
    const child = runChild(
      worker(`
      const thread = make();
      await new Promise((done) => thread.once('message', done));
      thread.unref();
      make();
      setTimeout(() => { console.log('ending'); process.exit(0); }, 200);`),
    );
    expect(output(child)).toBe('ending');
  });
});
