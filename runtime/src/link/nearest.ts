/**
 * Up to `limit` of `candidates` that a person may have meant by `name`, best first: names that contain it or that it
 * contains, and names a few typing errors away. For messages, so a pass over all kernel symbols is acceptable.
 */
export function nearest(name: string, candidates: Iterable<string>, limit = 4): string[] {
  const wanted = name.toLowerCase();
  const typos = Math.max(1, Math.min(4, Math.floor(wanted.length / 4)));
  const found = new Map<string, number>();
  for (const candidate of candidates) {
    if (candidate === name || found.has(candidate)) continue;
    const score = distance(wanted, candidate.toLowerCase(), typos);
    if (score !== undefined) found.set(candidate, score);
  }
  return [...found]
    .sort(([a, x], [b, y]) => x - y || a.length - b.length || (a < b ? -1 : 1))
    .slice(0, limit)
    .map(([candidate]) => candidate);
}

function distance(wanted: string, candidate: string, typos: number): number | undefined {
  const [short, long] = wanted.length < candidate.length ? [wanted, candidate] : [candidate, wanted];
  if (long.length - short.length <= typos) {
    const edits = edit(wanted, candidate, typos);
    if (edits !== undefined) return edits;
  }
  // A fragment of three letters is part of too many names to say anything.
  if (short.length < 4 || !long.includes(short)) return undefined;
  return typos + 1 + (long.length - short.length) / 8;
}

/** Three rows of the table, kept from name to name: kernels have hundreds of thousands. */
let rows = newRows(128);

function newRows(width: number): [Int32Array, Int32Array, Int32Array] {
  return [new Int32Array(width + 2), new Int32Array(width + 2), new Int32Array(width + 2)];
}

/**
 * How many letters were mistyped, two neighbours in the wrong order counting as one mistake (the optimal string
 * alignment distance); undefined once it passes `most`.
 */
function edit(a: string, b: string, most: number): number | undefined {
  // What both begin and end with costs nothing; most names differ from the first letter on.
  let start = 0;
  while (start < a.length && start < b.length && a[start] === b[start]) start += 1;
  let tail = 0;
  while (tail < Math.min(a.length, b.length) - start && a.at(-1 - tail) === b.at(-1 - tail)) tail += 1;
  const height = a.length - tail - start;
  const width = b.length - tail - start;
  const far = most + 1;
  if (rows[0].length < width + 2) rows = newRows(2 * width);
  // Cells further than `most` from the diagonal are not computed: they count as `far`.
  let [before, row, next] = rows;
  for (let j = 0; j <= Math.min(width, most); j++) row[j] = j;
  row[Math.min(width, most) + 1] = far;
  let lastBest = 0;
  for (let i = 1; i <= height; i++) {
    const first = Math.max(1, i - most);
    const last = Math.min(width, i + most);
    const here = a.charCodeAt(start + i - 1);
    const above = i > 1 ? a.charCodeAt(start + i - 2) : -1;
    next[first - 1] = first === 1 ? Math.min(i, far) : far;
    next[last + 1] = far;
    let best = next[first - 1] ?? far;
    for (let j = first; j <= last; j++) {
      const there = b.charCodeAt(start + j - 1);
      let value = (row[j - 1] ?? far) + (here === there ? 0 : 1);
      value = Math.min(value, (row[j] ?? far) + 1, (next[j - 1] ?? far) + 1);
      if (there === above && j > 1 && here === b.charCodeAt(start + j - 2)) {
        value = Math.min(value, (before[j - 2] ?? far) + 1);
      }
      next[j] = value;
      if (value < best) best = value;
    }
    if (best > most && lastBest >= most) return undefined;
    lastBest = best;
    [before, row, next] = [row, next, before];
  }
  const edits = row[width] ?? far;
  return edits <= most ? edits : undefined;
}
