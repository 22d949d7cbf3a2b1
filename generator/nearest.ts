/** Up to three of `names` that `wanted` is probably a slip of, nearest first. */
export function nearest(wanted: string, names: Iterable<string>): string[] {
  const limit = Math.max(2, Math.floor(wanted.length / 3));
  const lower = wanted.toLowerCase();
  return [...new Set(names)]
    .filter((name) => Math.abs(name.length - wanted.length) <= limit && name.length < 100)
    .map((name) => ({ name, far: distance(lower, name.toLowerCase()) }))
    .filter(({ far }) => far <= limit)
    .sort((a, b) => a.far - b.far || (a.name < b.name ? -1 : 1))
    .slice(0, 3)
    .map(({ name }) => name);
}

/** Edits that turn one text into the other (Levenshtein). */
function distance(from: string, to: string): number {
  let row = Array.from({ length: to.length + 1 }, (_, column) => column);
  for (const [line, a] of [...from].entries()) {
    const next = [line + 1];
    for (const [column, b] of [...to].entries()) {
      const replace = (row[column] ?? 0) + (a === b ? 0 : 1);
      next.push(Math.min(replace, (row[column + 1] ?? 0) + 1, (next[column] ?? 0) + 1));
    }
    row = next;
  }
  return row[to.length] ?? 0;
}
