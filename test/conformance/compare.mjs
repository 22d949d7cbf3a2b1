// Compares what two loaders made of the same objects, and knows which differences are accounted for.
import { basename } from 'node:path';

/**
 * @typedef {{ object: string, what: string, text: string }} Difference `what`: a program, `map NAME`, or `open`
 * @typedef {{ same: number, of: number }} Count
 */

/** The rows of a file of JSON lines; what else is printed among them is left out. */
export function parseRows(text) {
  return text
    .split('\n')
    .filter((line) => line.startsWith('{'))
    .map((line) => JSON.parse(line));
}

/**
 * Both load a program and the kernel computes the same tag, or both are refused; maps are the same after open.
 * @returns {{ open: Count, maps: Count, programs: Count, errno: Count, differences: Difference[], otherErrnos: Difference[] }} `errno`: of the
 *   programs that both are refused, those with the same errno; `otherErrnos`: the rest of them
 */
export function compare(reference, own) {
  const result = {
    ...{ open: count(), maps: count(), programs: count(), errno: count() },
    differences: [],
    otherErrnos: [],
  };
  const found = new Map(own.map((row) => [basename(row.object), row]));
  for (const want of reference) {
    // Where libbpf itself is killed, there is nothing to compare with.
    if (want.signal !== undefined) continue;
    const object = basename(want.object);
    const differ = (what, text) => result.differences.push({ object, what, text });
    const otherErrno = (what, text) => result.otherErrnos.push({ object, what, text });
    compareObject(want, found.get(object), result, { differ, otherErrno });
  }
  return result;
}

function compareObject(want, got, { open, maps, programs, errno }, { differ, otherErrno }) {
  const opens = (row) => (row.open === 0 ? 'opens' : `is not opened (${row.open})`);
  const same = got !== undefined && (got.open === 0) === (want.open === 0);
  tally(open, same);
  if (got === undefined) differ('open', 'no result');
  else if (!same) differ('open', `${opens(got)}, with libbpf ${opens(want)}${reason(got)}`);
  const ownMaps = byName(got?.maps);
  for (const map of want.maps ?? []) {
    const texts = mapDifferences(map, ownMaps.get(map.name));
    tally(maps, texts.length === 0);
    if (same && texts.length > 0) differ(`map ${map.name}`, texts.join('; '));
  }
  const ownPrograms = byName(got?.programs);
  for (const program of want.programs ?? []) {
    const other = ownPrograms.get(program.name);
    const text = programDifference(program, other);
    tally(programs, text === undefined);
    if (same && text !== undefined) differ(program.name, `SEC("${program.section}") ${text}`);
    if (text !== undefined || program.err === 0) continue;
    tally(errno, program.err === other.err);
    if (program.err !== other.err) {
      otherErrno(program.name, `${other.err}, with libbpf ${program.err}${reason(other)}`);
    }
  }
}

function mapDifferences(want, got) {
  if (got === undefined) return ['missing'];
  return ['type', 'key', 'value', 'max', 'flags']
    .filter((field) => got[field] !== want[field])
    .map((field) => `${field} ${got[field]}, with libbpf ${want[field]}`);
}

function programDifference(want, got) {
  if (got === undefined) return 'missing';
  const verdict = ({ err }) => (err === 0 ? 'loads' : `is refused (${err})`);
  if ((got.err === 0) !== (want.err === 0)) {
    return `${verdict(got)}, with libbpf it ${verdict(want)}${reason(got)}`;
  }
  return want.err === 0 && got.tag !== want.tag ? `has tag ${got.tag}, with libbpf ${want.tag}` : undefined;
}

function reason({ message }) {
  return message === undefined ? '' : `: ${message.split('\n')[0]}`;
}

function byName(list = []) {
  return new Map(list.map((entry) => [entry.name, entry]));
}

function count() {
  return { same: 0, of: 0 };
}

function tally(counter, same) {
  counter.of++;
  if (same) counter.same++;
}

/** `3416/3417 (99.97 %)`, never rounded up to 100. */
export function share({ same, of }) {
  const percent = of === 0 ? 100 : Math.floor((10_000 * same) / of) / 100;
  return `${same}/${of} (${percent.toFixed(2)} %)`;
}

/**
 * The differences that are accounted for, from the table `| kernel | object | what | cause |` of conformance.md.
 * @returns {(difference: Difference) => string | undefined} the cause
 */
export function knownDifferences(markdown, kernel) {
  const rows = markdown
    .split('\n')
    .filter((line) => /^\|.*\|$/.test(line.trim()))
    .map((line) =>
      line
        .trim()
        .slice(1, -1)
        .split('|')
        .map((cell) => cell.trim().replaceAll('`', '')),
    )
    .filter(([of, object]) => [kernel, 'all'].includes(of) && object?.endsWith('.o'));
  const causes = new Map(rows.map(([, object, what, cause]) => [`${object} ${what}`, cause]));
  return ({ object, what }) => causes.get(`${object} ${what}`);
}
