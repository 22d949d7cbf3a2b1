// The rows of the table: what is measured, against what, and the goal of the design.
import { isExcepted } from '../space/limits.mjs';
import { spaceOfCodecs } from '../space/space.mjs';
import { firstSample, median, Peer, summary } from './peers.mjs';

/**
 * @typedef {object} Row
 * @property {string} name
 * @property {Figure} [ours] nanoseconds an operation unless `unit` says otherwise
 * @property {Figure} [theirs]
 * @property {(figure: number) => string} [unit]
 * @property {number} [atMost] of ours divided by theirs; of ours where there is no theirs
 * @property {number} [atLeast] of theirs divided by ours: of operations in a time
 * @typedef {{ wall: number, cpu: number }} Figure
 */

export const time = (ns) =>
  ns >= 1e6
    ? `${(ns / 1e6).toFixed(1)} ms`
    : ns >= 1e3
      ? `${(ns / 1e3).toFixed(2)} us`
      : `${ns.toFixed(1)} ns`;
const rate = (ns) => `${(1e3 / ns).toFixed(2)} M/s`;
const megabytes = (bytes) => `${(bytes / 1e6).toFixed(1)} MB`;

/** Samples of both sides in turns. */
async function inTurns(runs, tick, ours, theirs) {
  const [a, b] = [[], []];
  for (let i = 0; i < runs; i++) {
    // Who goes first changes, so that neither always finds what the other left.
    for (const [list, take] of i % 2 === 0
      ? [
          [a, ours],
          [b, theirs],
        ]
      : [
          [b, theirs],
          [a, ours],
        ]) {
      list.push(await take());
    }
    tick();
  }
  return { ours: summary(a), theirs: summary(b) };
}

/** Runs of what takes many seconds. */
const FEW = 3;

/** Whole processes: `bpfskel gen` beside something. What they print is thrown away, or goes to a file `into`. */
async function processes({ runs, tick, tools }, name, atMost, ours, theirs, into = '/dev/null') {
  const runner = new Peer([tools.theirs, 'run', into]);
  const sides = [ours, theirs].map((command) => () => runner.sample(command.join('\t')));
  await sides[0]();
  await sides[1]();
  const figures = await inTurns(runs, tick, ...sides);
  await runner.end();
  return { name, atMost, ...figures };
}

export const groups = {
  async gen(bench) {
    const { tools } = bench;
    const gen = (object) => [process.execPath, tools.cli, 'gen', object];
    const small = await processes(bench, 'gen of a small object, beside node -e 0', 1.5, gen(tools.hello), [
      process.execPath,
      '-e',
      '0',
    ]);
    if (!tools.bpftool) return [small, { name: 'gen of a large object', missing: 'needs bpftool' }];
    const both = [gen(tools.large.path), [tools.bpftool, 'gen', 'skeleton', tools.large.path]];
    const size = megabytes(tools.large.size);
    const large = [
      await processes(bench, `gen of ${size}, beside bpftool`, 1, ...both),
      // As the build steps of users do; bpftool writes three times as much.
      await processes(bench, 'the same, into a file', 1, ...both, tools.output),
    ];
    const name = "gen of the kernel's selftests";
    if (!tools.selftests) return [small, ...large, { name, missing: 'needs npm run conformance once' }];
    const all = await processes(
      { ...bench, runs: Math.min(bench.runs, FEW) },
      `${name}, beside bpftool one by one`,
      1.5,
      [process.execPath, tools.ours, 'gen', tools.selftests],
      // Some it refuses.
      ['/bin/sh', '-c', `for each in ${tools.selftests}/*.o; do bpftool gen skeleton $each; done; true`],
    );
    return [small, ...large, all];
  },

  async load({ runs, tick, tools }) {
    const ours = [process.execPath, tools.ours, 'load', tools.load];
    const theirs = [tools.theirs, 'load', tools.load];
    const first = await inTurns(
      runs,
      tick,
      () => firstSample(ours, 'load'),
      () => firstSample(theirs, 'load'),
    );
    const again = async (command) => {
      const peer = new Peer(command);
      await peer.sample('load');
      const sample = await peer.sample('load');
      await peer.end();
      return sample;
    };
    const second = await inTurns(
      runs,
      tick,
      () => again(ours),
      () => again(theirs),
    );
    return [
      { name: 'open, load, attach, destroy with CO-RE: first', atMost: 1.5, ...first },
      { name: 'the same, second time in the process', atMost: 1, ...second },
    ];
  },

  async data({ runs, tick, tools }) {
    const ours = new Peer([process.execPath, tools.ours, 'data', tools.skeleton]);
    const theirs = new Peer([tools.theirs, 'data', tools.data]);
    const compare = async (name, mine = name) => {
      // A service runs for longer than V8 takes to compile it.
      for (let i = 0; i < 10; i++) await ours.sample(mine);
      return inTurns(
        runs,
        tick,
        () => ours.sample(mine),
        () => theirs.sample(name),
      );
    };
    const result = [
      { name: 'map lookup, one key, decoded', atMost: 1.25, ...(await compare('lookup')) },
      { name: 'map update, one key', atMost: 1.25, ...(await compare('update')) },
      { name: 'batch lookup of 10,000, decoded, an entry', atMost: 2, ...(await compare('batch')) },
      { name: 'ring buffer, emitted and taken', atLeast: 0.5, unit: rate, ...(await compare('pipe')) },
      {
        name: 'the same, beside what a core can emit',
        atLeast: 1,
        unit: rate,
        ...(await compare('emit', 'consume')),
      },
      { name: 'the same, callbacks alone', unit: rate, ...(await compare('consume')) },
      { name: 'a million records to a listener', atLeast: 0.5, unit: rate, ...(await compare('million')) },
      { name: 'from the kernel to a callback, waiting: p50', ...(await compare('latency')) },
    ];
    await ours.end();
    await theirs.end();
    return result;
  },

  async codec({ runs, tick, tools }) {
    const flags = ['--expose-gc', '--max-semi-space-size=256'];
    const ours = new Peer([process.execPath, ...flags, tools.ours, 'codec', tools.skeleton]);
    const take = async (name) => {
      for (let i = 0; i < 20; i++) await ours.sample(name);
      const samples = [];
      for (let i = 0; i < runs; i++) samples.push(await ours.sample(name));
      tick();
      return { ours: summary(samples) };
    };
    // No time, but bytes.
    const space = async () => {
      const { wall } = (await take('space')).ours;
      return { ours: { wall, cpu: wall } };
    };
    const rows = [
      // Five million a second.
      { name: 'decode seven scalars and char[16], new names', atMost: 200, ...(await take('names')) },
      { name: 'the same, names that were read before', atMost: 200, ...(await take('same')) },
      { name: 'encode them', ...(await take('write')) },
      {
        name: 'heap that decoding takes, by what remains',
        atMost: 1.05,
        unit: (ratio) => ratio.toFixed(2),
        ...(await space()),
      },
    ];
    await ours.end();
    const all = await spaceOfCodecs();
    tick();
    const same = (value) => ({ ours: { wall: value, cpu: value } });
    const worst = (of) => Math.max(...all.filter((one) => !isExcepted(one)).map(of));
    const count = new Set(all.map(({ name }) => name)).size;
    // Of what is no bytes at all a ratio says nothing.
    const ratio = ({ decoding, value }) => (value < 8 ? 0 : decoding / value);
    rows.push(
      {
        name: `the same, the worst of ${count} codecs`,
        atMost: 1.05,
        unit: (value) => value.toFixed(2),
        ...same(worst(ratio)),
      },
      {
        name: 'heap that encoding takes, the worst of them',
        atMost: 2,
        unit: (value) => `${value.toFixed(1)} B`,
        ...same(worst(({ encoding }) => encoding)),
      },
    );
    return rows;
  },

  async start({ runs, tick, tools }) {
    const times = [];
    const bytes = [];
    for (let i = 0; i < runs; i++) {
      times.push(await firstSample([process.execPath, tools.ours, 'import'], 'import'));
      const peer = new Peer([process.execPath, tools.ours, 'memory', tools.hello]);
      const bare = (await peer.sample('bare')).count;
      bytes.push((await peer.sample('loaded')).count - bare);
      await peer.end();
      tick();
    }
    const memory = median(bytes);
    return [
      { name: 'import of the runtime', ours: summary(times), atMost: 30e6 },
      {
        name: 'memory above bare node, hello loaded',
        ours: { wall: memory, cpu: memory },
        atMost: 20e6,
        unit: megabytes,
      },
    ];
  },

  async install({ tools, tick }) {
    tick();
    const installed = tools.install();
    if ('missing' in installed) return [{ name: 'production install', ...installed }];
    const { bytes, packages } = installed;
    return [
      {
        name: `production install (${packages.join(', ')})`,
        ours: { wall: bytes, cpu: bytes },
        atMost: 6e6,
        unit: megabytes,
      },
    ];
  },
};
