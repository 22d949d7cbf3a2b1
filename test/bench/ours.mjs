// Our side of the benchmark, in the manner of theirs.c: reads the names of samples from stdin, one a line, takes each
// once, and answers with a line "WALL CPU COUNT": nanoseconds and how many operations took them.
//   ours.mjs load OBJECT     load: open, load, attach, destroy
//   ours.mjs data SKELETON   lookup, update, batch, consume, pipe, million, latency
//   ours.mjs codec SKELETON  names, same, write: records that the codec reads or writes; space: bytes of heap that reading
//                            takes as WALL, by which remain as COUNT (node --expose-gc --max-semi-space-size=256)
//   ours.mjs import          import: of the package; once
//   ours.mjs gen FOLDER      no samples: the skeletons of all objects there, to standard output
//   ours.mjs memory OBJECT   bare, loaded: resident bytes as COUNT; in this order
import { readdirSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { Worker } from 'node:worker_threads';

const ENTRIES = 10_000;
const OPERATIONS = 20_000;
const PINGS = 200;

const [mode, path] = process.argv.slice(2);
let sum = 0n;

function now() {
  const { user, system } = process.cpuUsage();
  return { wall: process.hrtime.bigint(), cpu: BigInt(user + system) * 1000n };
}

/** Takes a sample; what `action` returns is how many operations it was, or what it measured itself. */
async function measure(action) {
  const from = now();
  const result = (await action()) ?? 1;
  const to = now();
  const { wall = to.wall - from.wall, count = result } = result;
  console.log(`${wall} ${to.cpu - from.cpu} ${count}`);
}

function repeat(action) {
  for (let i = 0; i < OPERATIONS; i++) action(i);
  return OPERATIONS;
}

async function loadSamples() {
  const { openObject } = await import('@bpfskel/runtime');
  return {
    load() {
      const object = openObject(path).load();
      object.attach();
      object.destroy();
    },
  };
}

async function dataSamples() {
  const { data } = await import(path);
  const { maps, progs } = data.openAndLoad();
  for (let key = 0; key < ENTRIES; key++) {
    maps.stats.set(key, { packets: BigInt(key), bytes: BigInt(key) * 100n, last: key, flags: 0 });
  }
  const value = { packets: 1n, bytes: 0n, last: 0, flags: 0 };
  const use = ({ packets, last, flags }) => {
    if (packets < 0n) sum += packets + BigInt(last + flags);
  };
  const consume = () =>
    maps.events.consume(({ time, pid, result, comm }) => {
      if (comm === '') sum += time + BigInt(pid + result);
    });
  return {
    lookup: () => repeat((i) => use(maps.stats.get(i % ENTRIES))),
    update: () =>
      repeat((i) => {
        value.last = i;
        maps.stats.set(i % ENTRIES, value);
      }),
    batch() {
      let count = 0;
      for (const [key, entry] of maps.stats) {
        use(entry);
        if (key >= 0) count++;
      }
      return count;
    },
    consume,
    before: { consume: () => progs.emit.testRun() },
    pipe() {
      progs.emit.testRun();
      return consume();
    },
    million() {
      let expected = 0;
      let wrong = 0;
      let count = 0;
      const subscription = maps.events.subscribe(({ time, pid, result, comm }) => {
        if (pid !== expected++) wrong++;
        if (comm === '') sum += time + BigInt(result);
      });
      for (; count < 1_000_000; expected = 0) {
        progs.emit.testRun();
        count += subscription.flush();
      }
      subscription.stop();
      if (wrong > 0) throw new Error(`${wrong} records out of order`);
      return count;
    },
    latency: () => latency(maps.events, progs.ping.fd),
  };
}

async function codecSamples() {
  const { Task } = await import(path);
  const { size } = Task;
  const room = (name) => {
    const view = new DataView(new ArrayBuffer(size * OPERATIONS));
    for (let i = 0; i < OPERATIONS; i++) {
      const wide = BigInt(i) << 24n;
      const words = { pid: i, parent: i >> 1, result: -2, port: i & 0xffff, state: i & 7 };
      Task.write(view, i * size, { time: wide, bytes: wide, ...words, comm: name(i) });
    }
    return view;
  };
  const one = room(() => 'kworker/3:1');
  const many = room((i) => `task-${((i * 2654435761) >>> 0).toString(36)}`);
  const readAll = (view) => () =>
    repeat((i) => {
      const { time, bytes, pid, parent, result, port, state, comm } = Task.read(view, i * size);
      if (comm === '') sum += time + bytes + BigInt(pid + parent + result + port + state);
    });
  const value = Task.read(one, 0);
  const heap = () => process.memoryUsage().heapUsed;
  return {
    same: readAll(one),
    names: readAll(many),
    write: () =>
      repeat((i) => {
        value.pid = i;
        Task.write(one, i * size, value);
      }),
    space() {
      const kept = new Array(OPERATIONS).fill(null);
      globalThis.gc();
      const before = heap();
      for (let i = 0; i < OPERATIONS; i++) kept[i] = Task.read(many, i * size);
      const taken = heap() - before;
      globalThis.gc();
      const remains = heap() - before;
      return { wall: kept.length > 0 ? taken : 0, count: remains };
    },
  };
}

/** Pings from another thread, one a millisecond; the middle of how long they took to the callback, as WALL. */
async function latency(events, ping) {
  const taken = [];
  const runtime = JSON.stringify(import.meta.resolve('@bpfskel/runtime'));
  const text = `import(${runtime}).then(({ linuxKernel }) => {
    const pause = new Int32Array(new SharedArrayBuffer(4));
    for (let i = 0; i < ${PINGS}; i++) {
      Atomics.wait(pause, 0, 0, 1);
      linuxKernel().progTestRun(${ping}, {});
    }
  })`;
  const subscription = events.subscribe(({ time }) => taken.push(Number(process.hrtime.bigint() - time)));
  const thread = new Worker(text, { eval: true });
  await new Promise((done) => thread.once('exit', done));
  subscription.flush();
  subscription.stop();
  taken.sort((a, b) => a - b);
  return { wall: taken[taken.length >> 1], count: 1 };
}

function resident() {
  const pages = readFileSync('/proc/self/statm', 'utf8').split(' ')[1];
  return Number(pages) * 4096;
}

async function memorySamples() {
  const kept = [];
  return {
    bare: resident,
    async loaded() {
      const { openObject } = await import('@bpfskel/runtime');
      kept.push(openObject(path).load());
      return resident();
    },
  };
}

/** What `bpfskel gen` does for each, in one process. */
function generateAll() {
  const require = createRequire(import.meta.url);
  const { plainGen } = require('../../dist/gen-bundle.cjs');
  for (const name of readdirSync(path)) {
    if (name.endsWith('.o')) plainGen([join(path, name)]);
  }
  process.exit(0);
}

const samples = await {
  gen: generateAll,
  load: loadSamples,
  data: dataSamples,
  codec: codecSamples,
  memory: memorySamples,
  import: () => ({ import: () => import('@bpfskel/runtime').then(() => 1) }),
}[mode]();

for await (const name of createInterface({ input: process.stdin })) {
  samples.before?.[name]?.();
  await measure(samples[name]);
}
process.exitCode = sum === 42n ? 1 : 0;
