/** How many items a walk gives. */
export function count(walk: Iterable<unknown>): number {
  let total = 0;
  for (const _ of walk) total++;
  return total;
}
