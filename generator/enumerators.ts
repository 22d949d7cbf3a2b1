/** Words in names of structs that say only that it is one. */
const filler: ReadonlySet<string> = new Set([
  'event',
  'evt',
  'record',
  'rec',
  'msg',
  'data',
  'info',
  't',
  's',
]);

/**
 * The enumerator that is named like a struct, as EVENT_TCP_CLOSE is like `struct tcp_close_event`: the same words, without
 * those that all enumerators or all the structs have in common. Undefined when there is none, or more than one.
 */
export function enumeratorFor<E extends { readonly name: string }>(
  struct: string,
  structs: readonly string[],
  enumerators: readonly E[],
): E | undefined {
  const sharedByStructs = shared(structs);
  const sharedByValues = shared(enumerators.map(({ name }) => name));
  const wanted = words(struct).filter((word) => !sharedByStructs.has(word) && !filler.has(word));
  const named = enumerators.filter(({ name }) => {
    const own = words(name).filter((word) => !sharedByValues.has(word));
    return own.length > 0 && own.join() === wanted.join();
  });
  return named.length === 1 ? named[0] : undefined;
}

function words(name: string): string[] {
  return name
    .replace(/^(struct|union)\s+/, '')
    .replace(/([a-z0-9])([A-Z])/g, '$1_$2')
    .toLowerCase()
    .split('_')
    .filter(Boolean);
}

/** Words that every one of several names has. */
function shared(names: readonly string[]): ReadonlySet<string> {
  const [first, ...others] = names.map((name) => words(name));
  if (first === undefined || others.length === 0) return new Set();
  return new Set(first.filter((word) => others.every((other) => other.includes(word))));
}
