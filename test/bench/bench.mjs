// npm run bench: what bpfskel costs beside libbpf in C, bpftool and an empty node, measured in one run. Both sides take
// turns, in an order that changes; a figure is the median of --runs samples (21 unless said). --only gen,load,data,codec,start,install
// measures a part. Needs root, gcc and libbpf-dev, and bpftool for its row. The goals are those of the design.
import { release } from 'node:os';
import { parseArgs } from 'node:util';
import { clearProgress, say } from '../run/command.mjs';
import { whyNoBpf } from '../run/host.mjs';
import { load, processors } from './machine.mjs';
import { atOnce } from './peers.mjs';
import { groups, time } from './rows.mjs';
import { prepareTools } from './tools.mjs';

/** More than this in use by others makes the wall clock tell of them. */
const BUSY = 0.15;

const { values } = parseArgs({
  options: { runs: { type: 'string', default: '21' }, only: { type: 'string' } },
});
const runs = Number(values.runs);
const chosen = values.only === undefined ? Object.keys(groups) : values.only.split(',');
const why = whyNoBpf();
if (why !== undefined) {
  console.error(`bench: ${why}`);
  process.exit(1);
}

function bar(label, done, all) {
  if (process.stderr.isTTY !== true) return;
  const width = 30;
  const filled = Math.round((done / all) * width);
  process.stderr.write(`\r\u001b[K${'#'.repeat(filled)}${'.'.repeat(width - filled)} ${label}`);
}

/** @param {'wall' | 'cpu'} clock */
function line(row, clock) {
  const cells = (...list) => list.map((cell, i) => (i === 0 ? cell.padEnd(46) : cell.padStart(10))).join(' ');
  if (row.missing !== undefined) return `${cells(row.name)} not measured: ${row.missing}`;
  const { name, ours, theirs, unit = time, atMost, atLeast } = row;
  const ratio = (by) => (atMost !== undefined ? ours[by] / theirs[by] : theirs[by] / ours[by]);
  const value = theirs === undefined ? ours[clock] : ratio(clock);
  const met = atMost !== undefined ? value <= atMost : value >= atLeast;
  const most = atMost ?? atLeast;
  const limit = most === undefined ? undefined : theirs === undefined ? unit(most) : most.toFixed(2);
  const goal = limit === undefined ? '' : `${atMost !== undefined ? '<=' : '>='} ${limit}`;
  return cells(
    name,
    unit(ours[clock]),
    theirs === undefined ? '' : unit(theirs[clock]),
    theirs === undefined ? '' : ratio('wall').toFixed(2),
    theirs === undefined ? '' : ratio('cpu').toFixed(2),
    goal,
    goal === '' ? '' : met ? 'ok' : 'over',
  );
}

const inUse = await load();
const clock = inUse > BUSY && !atOnce ? 'cpu' : 'wall';
say(
  `node ${process.version}, Linux ${release()}, ${processors()}; medians of ${runs} samples, taken in turns`,
);
say(
  `others use ${Math.round(inUse * 100)} % of the processors${atOnce ? '; both sides go before them (SCHED_FIFO)' : ''}`,
);
say(
  clock === 'cpu'
    ? 'figures and goals by processor time, user and system'
    : 'figures and goals by the wall clock; kernel time is part of both sides',
);
say(
  ['what'.padEnd(46), ...['ours', 'theirs', 'wall', 'cpu', 'goal', ''].map((head) => head.padStart(10))].join(
    ' ',
  ),
);
const tools = await prepareTools();
for (const [index, group] of chosen.entries()) {
  let ticks = 0;
  const tick = () => bar(`${group} ${++ticks}`, index, chosen.length);
  for (const row of await groups[group]({ runs, tick, tools })) say(line(row, clock).trimEnd());
}
clearProgress();
