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

/** Levenshtein's distance, undefined once it passes `most`. */
function edit(a: string, b: string, most: number): number | undefined {
  // What both begin and end with costs nothing; most names differ from the first letter on.
  let start = 0;
  while (start < a.length && start < b.length && a[start] === b[start]) start += 1;
  let tail = 0;
  while (tail < Math.min(a.length, b.length) - start && a.at(-1 - tail) === b.at(-1 - tail)) tail += 1;
  const height = a.length - tail - start;
  const width = b.length - tail - start;
  let row = Array.from({ length: width + 1 }, (_, column) => column);
  for (let i = 1; i <= height; i++) {
    const next = [i];
    let best = i;
    for (let j = 1; j <= width; j++) {
      const same = a.charCodeAt(start + i - 1) === b.charCodeAt(start + j - 1) ? 0 : 1;
      const value = Math.min((row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1, (row[j - 1] ?? 0) + same);
      next.push(value);
      best = Math.min(best, value);
    }
    if (best > most) return undefined;
    row = next;
  }
  const edits = row[width] ?? 0;
  return edits <= most ? edits : undefined;
}
