/** Each item once, in order. */
export function unique<T>(items: readonly T[]): T[] {
  return [...new Set(items)];
}
