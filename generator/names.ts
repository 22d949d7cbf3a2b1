/** Words that cannot name a constant in a module under `strict`, and globals that generated code relies on. */
const reserved = new Set(
  (
    'abstract any arguments as async await boolean break case catch class const continue debugger declare default ' +
    'delete do else enum eval export extends false finally for from function get if implements import in infer ' +
    'instanceof interface is keyof let module namespace never new null number object of package private protected ' +
    'public readonly require return satisfies set static string super switch symbol this throw true try type typeof ' +
    'undefined unique unknown using var void while with yield bigint Infinity NaN exports globalThis ' +
    'Object Promise Reflect URL Omit Exclude Uint8Array DataView Math'
  ).split(' '),
);

/** Any text as an identifier: what cannot stand in one becomes `_`, as bpftool does. */
export function identifier(text: string): string {
  const safe = text.replace(/[^A-Za-z0-9_]/g, '_');
  return /^[0-9]/.test(safe) || safe === '' ? `_${safe}` : safe;
}

/** `tcp_info` as `TcpInfo`. Leading underscores go, unless nothing else would be left. */
export function pascalCase(text: string): string {
  const words = identifier(text)
    .split('_')
    .filter((word) => word !== '');
  const joined = words.map((word) => word.charAt(0).toUpperCase() + word.slice(1)).join('');
  return /^[A-Za-z]/.test(joined) ? joined : `_${joined}`;
}

/**
 * The object's name, as bpftool derives it: file name without `.o`, here also without `.bpf.o`, made an identifier.
 */
export function objectName(fileName: string): string {
  return identifier(fileName.replace(/^.*[\\/]/, '').replace(/(\.bpf)?\.o$/, ''));
}

/** Names at one level: whoever comes first gets the name, others a number behind it. */
export class Scope {
  readonly #taken = new Set<string>();

  has(name: string): boolean {
    return this.#taken.has(name);
  }

  /** An identifier for a constant or type, as near to `wanted` as possible. */
  claim(wanted: string): string {
    return this.claimKey(reserved.has(wanted) ? `${wanted}_` : wanted);
  }

  /** As {@link claim} for property names, of which none is reserved. */
  claimKey(wanted: string): string {
    let name = wanted;
    for (let count = 2; this.#taken.has(name); count++) name = `${wanted}_${count}`;
    this.#taken.add(name);
    return name;
  }
}
