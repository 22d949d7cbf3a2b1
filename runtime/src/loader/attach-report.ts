import { BpfError, isBpfError, printable } from '../errors.js';
import type { Link } from '../link/link.js';
import { nearest } from '../link/nearest.js';
import { failAfter } from '../link/release.js';

/** How {@link LiveObject.attach} treats what the kernel refuses. */
export interface AttachOptions<Name extends string = string> {
  /** Programs that may stay out: these, or all of them. Without it attach() is all or nothing. */
  readonly optional?: 'all' | readonly Name[];
}

/** What `attach()` came to. */
export interface AttachReport<Name extends string = string> {
  /** Names of what runs now because of this call, in order. */
  readonly attached: readonly Name[];
  /** What was optional and could not be attached. Programs whose SEC() says nothing of where are in neither list. */
  readonly failed: readonly { readonly program: Name; readonly error: BpfError }[];
}

/** One thing that attach() may attach. */
export interface Attachable {
  readonly name: string;
  /** Undefined when SEC() alone does not say where. */
  attach(): Link | undefined;
}

/**
 * Attaches one after the other. When one is refused that is not optional, those before it are detached again, and its
 * error is thrown.
 */
export function attachEach(
  attachables: readonly Attachable[],
  { optional = [] }: AttachOptions,
  keep: (name: string, link: Link) => void,
): AttachReport {
  const made: Link[] = [];
  const attached: string[] = [];
  const failed: { program: string; error: BpfError }[] = [];
  for (const { name, attach } of attachables) {
    try {
      const link = attach();
      if (link === undefined) continue;
      made.push(link);
      attached.push(name);
      keep(name, link);
    } catch (error) {
      if (!isBpfError(error) || (optional !== 'all' && !optional.includes(name))) {
        failAfter(error, ...made.reverse().map((link) => () => link.detach()));
      }
      failed.push({ program: name, error });
    }
  }
  return { attached, failed };
}

/** Throws for an optional name that the object does not have: it would protect nothing. */
export function checkOptional(
  object: string,
  { optional = [] }: AttachOptions,
  names: readonly string[],
): void {
  if (optional === 'all') return;
  for (const name of optional) {
    if (names.includes(name)) continue;
    const near = nearest(name, names).map((each) => printable(each));
    const hint = near.length > 0 ? `; similar names: ${near.join(', ')}` : '';
    throw new BpfError(
      'ERR_BPF_ARGUMENT',
      `attach ${printable(object)}: it has no program "${printable(name)}" to be optional${hint}`,
    );
  }
}
