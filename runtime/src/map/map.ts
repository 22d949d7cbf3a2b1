import type { Codec } from '../codec/codec.js';
import { printable } from '../errors.js';
import type { Fd, Kernel, MapCreate, MapInfo, Mapping } from '../kernel/kernel.js';
import type { Link } from '../link/link.js';
import { pinAt } from '../link/pin.js';
import { inspect, type Print, printed } from '../printed.js';
import { writeError } from './map-error.js';

/** What a live map is given by its object. */
export interface MapHandle {
  readonly kernel: Kernel;
  /** The C variable's name. */
  readonly name: string;
  /** `enum bpf_map_type`. */
  readonly type: number;
  /** Bytes, as the kernel created it. */
  readonly keySize: number;
  readonly valueSize: number;
  readonly maxEntries: number;
  readonly flags: number;
  /** What each type makes of it: hash functions, an address. */
  readonly mapExtra?: bigint;
  /** Of maps that hold maps. */
  readonly inner?: InnerMaps;
  /** Of arenas that load() mapped into memory, before any program could use them. */
  readonly arena?: Mapping;
  /** Of struct_ops maps: the kernel's struct, and who keeps what registers it. */
  readonly structOps?: { readonly type: string; readonly value: Uint8Array; own(link: Link): Link };
  /** The live descriptor; throws ERR_BPF_STATE once the object is destroyed. */
  fd(): Fd;
  /** Runs when the object is destroyed, before the descriptor is closed: streams end, mappings go. */
  onClose(listener: () => void): void;
  /** Runs each time the object is detached as a whole: streams deliver what is left and end. */
  onDetach?(listener: () => void): void;
}

/** What is known of the maps in a map. */
export interface InnerMaps {
  /** The kind of an inner map that no skeleton types. */
  kindOf(map: { readonly type: number; readonly flags: number }): MapKind;
  /** What the object declares them as; undefined where no object is at hand. */
  attributes?(): MapCreate | undefined;
}

/** A map in the kernel. Each kind adds what one can do with it. */
export class BpfMap {
  protected readonly handle: MapHandle;

  constructor(handle: MapHandle) {
    this.handle = handle;
  }

  get name(): string {
    return this.handle.name;
  }

  /** `enum bpf_map_type`. */
  get type(): number {
    return this.handle.type;
  }

  /** Bytes. */
  get keySize(): number {
    return this.handle.keySize;
  }

  /** Bytes; for per-CPU maps, of one CPU's value. */
  get valueSize(): number {
    return this.handle.valueSize;
  }

  get maxEntries(): number {
    return this.handle.maxEntries;
  }

  /** The map's descriptor, owned by the skeleton: do not close it. */
  get fd(): Fd {
    return this.handle.fd();
  }

  /** What the kernel says of the map. */
  info(): MapInfo {
    return this.handle.kernel.mapInfo(this.fd);
  }

  /**
   * Makes the map's contents reachable beyond this process, under a path in a BPF file system, whose last directory is made
   * when it is missing. Linux 4.4. As libbpf's bpf_map__pin.
   */
  pin(path: string): this {
    const head = `pin map "${printable(this.name)}" at ${printable(path)}`;
    pinAt(this.handle.kernel, this.fd, head, path);
    return this;
  }

  /**
   * Refuses every later write from user space. Linux 5.2.
   * @throws BpfError EBUSY or EPERM when it is frozen already; EBUSY when it is shared as memory that can be written to
   */
  freeze(): void {
    try {
      this.handle.kernel.mapFreeze(this.fd);
    } catch (error) {
      throw writeError(this.handle, error, 'freeze');
    }
  }

  [inspect](depth: number, options: object, print: Print): string {
    const { name, keySize, valueSize, maxEntries } = this;
    return printed(this, name, { name, keySize, valueSize, maxEntries }, depth, options, print);
  }
}

/** A map kind: the types it covers and the class they get. */
export interface MapKind<M extends BpfMap = BpfMap> {
  /** Name under which the codegen entry exports the kind. */
  readonly kindName: string;
  /** `enum bpf_map_type` values. */
  readonly types: readonly number[];
  /** BPF_F_* that a map has to be of this kind, where its type has another kind for maps without. */
  readonly flags?: number;
  /** Which codecs a skeleton passes, in this order. */
  readonly codecs: readonly ('key' | 'value')[];
  /** True when the value codec is of the records of a stream, whose size the map does not know. */
  readonly codecsAreRecords?: boolean;
  /** True when a skeleton passes the shape of the inner maps last. */
  readonly holdsMaps?: boolean;
  open(
    handle: MapHandle,
    key: Codec<unknown> | undefined,
    value: Codec<unknown> | undefined,
    inner?: MapShape | undefined,
  ): M;
}

/** A map as a skeleton states it. */
export interface MapShape<M extends BpfMap = BpfMap> {
  readonly kind: MapKind<M>;
  readonly key?: Codec<unknown>;
  readonly value?: Codec<unknown>;
  /** The C type of its records as `gen --record` named it, whatever the object says; several with `|` between. */
  readonly asked?: string;
  /** Of maps that hold maps: what those are. */
  readonly inner?: MapShape;
  /** Phantom: the class of the live map. */
  readonly map?: M;
}

const kindMark: unique symbol = Symbol('MapKind');

/** What a kind's export carries besides being called. */
export interface DeclaresMapKind {
  readonly [kindMark]: MapKind;
}

/**
 * Declares a kind. The result is called by skeletons (`hash(u32, Stats)`) and read by `mapKindOf`. `shape` types that
 * call: it turns codecs into the class of the live map.
 */
export function mapKind<M extends BpfMap, Shape extends (...codecs: never[]) => MapShape>(
  definition: MapKind<M>,
  shape: (kind: MapKind<M>) => Shape,
): Shape & DeclaresMapKind {
  return Object.assign(shape(definition), { [kindMark]: definition });
}

/** The kind an export of `map/index.ts` declares, if it is one. */
export function mapKindIn(exported: unknown): MapKind | undefined {
  return typeof exported === 'function' && kindMark in exported ? (exported[kindMark] as MapKind) : undefined;
}
