import type { Description, LiveGlobals, MapOf, OpenGlobals, ProgramOf } from './codegen/description.js';
import { BpfError, printable } from './errors.js';
import type { Kernel } from './kernel/kernel.js';
import type { Link } from './link/link.js';
import type { AttachOptions, AttachReport } from './loader/attach-report.js';
import { globalSections, liveGlobals, openGlobals } from './loader/globals.js';
import type { LiveObject } from './loader/live-object.js';
import type { OpenMap } from './loader/open-object.js';
import type { OpenProgram } from './loader/open-program.js';
import { openStructOps, type StructOpsSettings } from './loader/open-struct-ops.js';
import { checkLayout } from './loader/skeleton-layout.js';
import type { StructOpsMap } from './map/index.js';
import type { BpfMap } from './map/map.js';
import type { OwnedMap } from './map/owned.js';
import type { ObjectSpec } from './object/spec.js';
import { type KernelLoadOptions, LoadableObject, parseNamed } from './open.js';
import { type OpenMapOptions, openPinnedMap } from './open-map.js';

/** What a generated module exports under the object's name. */
export interface Skeleton<Open, Live> {
  /** The object's name, as bpftool derives it from the file name. */
  readonly objectName: string;
  /** Parses the embedded object. Nothing enters the kernel yet; needs no root. `options` are those of load(). */
  open(options?: KernelLoadOptions): Open;
  /** `open().load(options)` for objects that need no settings. */
  openAndLoad(options?: KernelLoadOptions): Live;
  /**
   * Opens one of the object's maps that somebody pinned, another process perhaps: the object is not loaded for it.
   * @throws BpfError ENOENT when nothing is at `path`, EINVAL when it is no map, ERR_BPF_LAYOUT when it is another one
   */
  openPinnedMap<Name extends keyof MapsOf<Live> & string>(
    name: Name,
    path: string,
    options?: OpenMapOptions,
  ): OwnedMap<Extract<MapsOf<Live>[Name], BpfMap>>;
  /** The embedded object file. */
  elfBytes(): Uint8Array;
}

/** The maps of a live skeleton by name. */
type MapsOf<Live> = Live extends { readonly maps: infer Maps } ? Maps : never;

/** An object between open and load. */
export type OpenSkeleton<D extends Description, Live> = {
  readonly maps: { readonly [M in keyof D['maps']]: OpenMap };
  readonly progs: { readonly [P in keyof D['progs']]: OpenProgram };
  /**
   * Loads maps, then programs. Uses this object up.
   * @throws VerifierError when the kernel refuses a program, SyscallError, BpfError; then nothing stays in the kernel.
   */
  load(options?: KernelLoadOptions): Live;
  /** Gives the object up without loading it. */
  destroy(): void;
  [Symbol.dispose](): void;
} & { readonly [S in keyof D['globals']]: OpenGlobals<S, D['globals'][S]> } & StructOpsSettings<D>;

/** Names of what attach() may attach: programs, and maps of struct_ops. */
type Attached<D extends Description> =
  | (keyof D['progs'] & string)
  | {
      [M in keyof D['maps'] & string]: MapOf<D['maps'][M]> extends StructOpsMap ? M : never;
    }[keyof D['maps'] & string];

/** An object in the kernel. */
export type LiveSkeleton<D extends Description> = {
  readonly maps: { readonly [M in keyof D['maps']]: MapOf<D['maps'][M]> };
  readonly progs: { readonly [P in keyof D['progs']]: ProgramOf<D['progs'][P]> };
  /** What attach() attached, by program or struct_ops map. */
  readonly links: { readonly [P in Attached<D>]?: Link };
  /**
   * Attaches every program whose SEC() says where. All or nothing, but for programs that are `optional`:
   * `attach({ optional: ['on_new_hook'] }).failed` says which of those this kernel refuses, and why.
   */
  attach(options?: AttachOptions<Attached<D>>): AttachReport<Attached<D>>;
  /** Ends every attachment; maps, programs and globals stay usable. */
  detach(): void;
  /** Detaches and gives everything back to the kernel. Idempotent; also what `using` calls. */
  destroy(): void;
  [Symbol.dispose](): void;
} & { readonly [S in keyof D['globals']]: LiveGlobals<S, D['globals'][S]> };

/** Makes the value a generated module exports. For generated code. */
export function skeleton<const D extends Description>(
  description: D,
): Skeleton<OpenSkeleton<D, LiveSkeleton<D>>, LiveSkeleton<D>> {
  // The object never changes, so it is decoded and parsed once a process; the one for each architecture that is asked for.
  const elves = new Map<string | undefined, Uint8Array>();
  const specs = new Map<string | undefined, ObjectSpec>();
  const elf = (arch?: string) => remembered(elves, arch, () => description.elf(arch));
  const parsed = (kernel: Kernel | undefined) => {
    const arch = description.elf.length === 0 ? undefined : kernel?.arch;
    return remembered(specs, arch, () => {
      const fresh = parseNamed(elf(arch), description.name);
      checkLayout(description, fresh);
      return fresh;
    });
  };
  const open = (options?: KernelLoadOptions) =>
    openSkeleton(description, new LoadableObject(description.name, parsed(options?.kernel), options));
  return {
    objectName: description.name,
    open,
    openAndLoad: (options) => open(options).load(),
    openPinnedMap(name, path, options = {}) {
      const shape = Object.entries(description.maps).find(([map]) => map === name)?.[1];
      if (shape === undefined) {
        throw new BpfError('ERR_BPF_NAME', `${printable(description.name)} has no map "${printable(name)}"`);
      }
      // The shape of this name says what its map is.
      return openPinnedMap(path, shape, options) as never;
    },
    elfBytes: () => elf().slice(),
  };
}

function remembered<K, V>(known: Map<K, V>, key: K, make: () => V): V {
  const value = known.get(key) ?? make();
  known.set(key, value);
  return value;
}

function openSkeleton<D extends Description>(
  description: D,
  object: LoadableObject,
): OpenSkeleton<D, LiveSkeleton<D>> {
  const facade = {
    maps: record(object.maps),
    progs: record(object.progs),
    load(options: KernelLoadOptions = {}) {
      const shapes = new Map(Object.entries(description.maps));
      const programs = new Map(Object.entries(description.progs));
      return liveSkeleton(description, object.spec, object.load({ ...options, shapes, programs }));
    },
    destroy: () => object.destroy(),
    [Symbol.dispose]: () => object.destroy(),
  };
  for (const section of globalSections(description, object.spec)) {
    const value = openGlobals(object, section);
    if (value !== undefined) Object.defineProperty(facade, section.ident, { value, enumerable: true });
  }
  if (description.structOps !== undefined) {
    const value = openStructOps(object, description.structOps);
    Object.defineProperty(facade, 'struct_ops', { value, enumerable: true });
  }
  // The globals were added above by name, which the type system cannot follow.
  return facade as unknown as OpenSkeleton<D, LiveSkeleton<D>>;
}

function liveSkeleton<D extends Description>(
  description: D,
  spec: ObjectSpec,
  object: LiveObject,
): LiveSkeleton<D> {
  const facade = {
    maps: record(object.maps),
    progs: record(object.progs),
    attach: (options?: AttachOptions) => object.attach(options),
    detach: () => object.detach(),
    destroy: () => object.destroy(),
    [Symbol.dispose]: () => object.destroy(),
  };
  Object.defineProperty(facade, 'links', { get: () => record(object.links), enumerable: true });
  for (const section of globalSections(description, spec)) {
    const memory = object.data.get(section.map.name);
    if (memory === undefined) continue;
    const value = liveGlobals(memory, section);
    Object.defineProperty(facade, section.ident, { value, enumerable: true });
  }
  // Maps, programs and globals were added by name, which the type system cannot follow.
  return facade as unknown as LiveSkeleton<D>;
}

/** A plain object of a map's entries that no name in the object file can turn into something else. */
function record<T>(entries: ReadonlyMap<string, T>): Readonly<Record<string, T>> {
  const object: Record<string, T> = Object.create(null);
  for (const [name, value] of entries) object[name] = value;
  return Object.freeze(object);
}
