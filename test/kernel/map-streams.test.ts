// What only shows in a process of its own: how it ends, what it leaks, what it costs.
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { type ChildResult, runChild } from './child.js';

const object = fileURLToPath(new URL('../testdata/either_buffer.o', import.meta.url));

/** Loads a program that sends to a ring buffer, `send(count)` runs it. Text, for children and their threads. */
const load = `
  import { openObject } from '@bpfskel/runtime';
  const load = () => {
    const live = openObject(${JSON.stringify(object)}).load();
    const send = (repeat = 1) => live.progs.get('send').testRun({ data: new Uint8Array(64), repeat });
    return { live, events: live.maps.get('events'), send };
  };
  const numberOf = (bytes) => Number(new DataView(bytes.buffer, bytes.byteOffset).getBigUint64(0, true));
`;

function output(result: ChildResult): string {
  expect({ status: result.status, signal: result.signal, stderr: result.stderr }).toEqual({
    status: 0,
    signal: null,
    stderr: '',
  });
  return result.stdout.trim();
}

describe('a process that reads records', () => {
  it('leaks nothing in 1000 streams that begin and end', () => {
    const child = runChild(`${load}
      import { readdirSync } from 'node:fs';
      const { live, events, send } = load();
      const open = () => readdirSync('/proc/self/fd').length + process.getActiveResourcesInfo().length;
      const listen = () => { const seen = []; events.subscribe((bytes) => seen.push(bytes)).stop(); };
      const loop = async () => { send(); for await (const bytes of events) { if (bytes) break; } };
      const wait = async () => {
        const abort = new AbortController();
        const end = events.records({ signal: abort.signal }).next();
        abort.abort();
        return (await end).done;
      };
      const round = async () => { listen(); await loop(); if (!(await wait())) throw new Error('a record'); };
      await round(); await sleep(20);
      const before = open();
      const never = new AbortController().signal;
      for (let i = 0; i < 333; i++) { await round(); events.subscribe(() => {}, { signal: never, pollInterval: 1 }).stop(); }
      await sleep(20);
      console.log(open() - before, events.stats().available);
      live.destroy();`);
    expect(output(child)).toBe('0 0');
  });

  it('sleeps while it waits, in a listener, a loop, or both together', () => {
    const child = runChild(`${load}
      const first = load(), second = load();
      first.events.subscribe(() => {});
      const loop = (async () => { for await (const bytes of second.events) if (numberOf(bytes) < 0) break; })();
      await sleep(100);
      const before = process.cpuUsage();
      await sleep(1000);
      const { user, system } = process.cpuUsage(before);
      first.live.destroy(); second.live.destroy(); await loop;
      console.log((user + system) / 1000);`);
    // Milliseconds of a second on a machine where an empty process takes 150.
    expect(Number(output(child))).toBeLessThan(10 * Math.max(1, runChild('').milliseconds / 150));
  });

  it('may exit in a callback', () => {
    const child = runChild(`${load}
      const { events, send } = load();
      process.on('exit', () => console.log('exit'));
      events.subscribe((bytes) => { console.log(numberOf(bytes)); if (numberOf(bytes) === 1) process.exit(0); });
      send(5);`);
    expect(output(child)).toBe('0\n1\nexit');
  });

  it('ends with the trace of what a listener throws', () => {
    const child = runChild(`${load}
      const { events, send } = load();
      events.subscribe(function mine() { throw new Error('from the listener'); });
      send();`);
    expect(child.status).toBe(1);
    expect(child.stderr).toMatch(/Error: from the listener\n\s+at mine /);
  });

  it('goes on behind what a listener throws when somebody catches it', () => {
    const child = runChild(`${load}
      const { live, events, send } = load();
      const caught = [], seen = [];
      process.on('uncaughtException', ({ message }) => caught.push(message));
      events.subscribe((bytes) => {
        const number = numberOf(bytes);
        if (number % 2) throw new Error('odd ' + number);
        seen.push(number);
        if (number === 6) { console.log(seen.join(), caught.join()); live.destroy(); }
      });
      send(3); setTimeout(() => send(4), 20);`);
    expect(output(child)).toBe('0,2,4,6 odd 1,odd 3,odd 5');
  });

  it('may abort in a callback and in a loop', () => {
    const child = runChild(`${load}
      const { live, events, send } = load();
      const seen = [];
      const first = new AbortController(), second = new AbortController();
      send(4);
      events.subscribe((bytes) => { seen.push(numberOf(bytes)); first.abort(); }, { signal: first.signal });
      await until(() => seen.length > 0); await sleep(20);
      for await (const bytes of events.records({ signal: second.signal })) {
        seen.push(numberOf(bytes));
        if (seen.length === 3) second.abort();
      }
      console.log(seen.join(), events.consume().map(numberOf).join());
      live.destroy();`);
    expect(output(child)).toBe('0,1,2 3');
  });

  it('may look at bytes of a record after the object is destroyed', () => {
    const child = runChild(`${load}
      const { live, events, send } = load();
      const kept = [];
      send(2000);
      events.consume((record, bytes) => kept.push(bytes));
      live.destroy();
      console.log(kept.length, kept.every((bytes) => bytes.every((byte) => byte === 0)));`);
    expect(output(child)).toMatch(/^[1-9]\d+ true$/);
  });
});

describe('worker threads', () => {
  /** `make()` starts a thread that loads the object, sends itself a record, tells of it, and then runs `body`. */
  const threads = (body: string) => `
    import { Worker } from 'node:worker_threads';
    const text = ${JSON.stringify(load)} + \`
      const { parentPort } = process.getBuiltinModule?.('worker_threads') ?? await import('node:worker_threads');
      const { live, events, send } = load();
      events.subscribe((bytes) => parentPort.postMessage(numberOf(bytes)));
      setTimeout(send, 5);
      ${body}\`;
    // Beside this file, so that packages are found.
    const make = () => new Worker(text.replace(/import \\{ openObject \\} from [^;]+;/, 'const { openObject } = await import(' + JSON.stringify(import.meta.resolve('@bpfskel/runtime')) + ');')
      .replace(/^/, '(async () => {') + '})();', { eval: true });
    const message = (thread) => new Promise((done, fail) => { thread.once('message', done); thread.once('error', fail); });`;

  it.each([
    ['are terminated', '', 'await thread.terminate();'],
    ['exit', "parentPort.once('message', () => process.exit(0));", "thread.postMessage(''); await ended;"],
    [
      'destroy it and end',
      "parentPort.once('message', () => live.destroy());",
      "thread.postMessage(''); await ended;",
    ],
  ])('read records, and the process lives on when they %s', (_how, body, end) => {
    const child = runChild(`${threads(body)}
      const seen = [];
      for (let i = 0; i < 3; i++) {
        const thread = make();
        const ended = new Promise((done) => thread.once('exit', done));
        seen.push(await message(thread));
        ${end}
      }
      await sleep(50);
      console.log(seen.join());`);
    expect(output(child)).toBe('0,0,0');
  });

  it('end with the process while they wait', () => {
    const child = runChild(`${threads('')}
      const both = [make(), make()];
      await Promise.all(both.map(message));
      console.log('ending');
      process.exit(0);`);
    expect(output(child)).toBe('ending');
  });
});
