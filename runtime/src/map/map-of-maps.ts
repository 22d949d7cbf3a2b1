import type { Codec } from '../codec/codec.js';
import { BpfError, isBpfError } from '../errors.js';
import type { Fd, MapCreate, MapInfo } from '../kernel/kernel.js';
import { count } from './count.js';
import { Elements } from './elements.js';
import { BpfMap, type MapHandle, type MapShape } from './map.js';
import { hasCode, mapText, operationError } from './map-error.js';
import type { SetOptions } from './options.js';
import { otherMap } from './other.js';
import { adoptMap, type OwnedMap } from './owned.js';
import { word } from './word.js';

/** What a new inner map has of its own. */
export interface InnerOptions {
  /** Capacity; by default that of the declaration. Array maps take another one only with BPF_F_INNER_MAP (Linux 5.10). */
  readonly maxEntries?: number;
}

/**
 * A map whose values are maps of one shape. An inner map lives while it is in one, or somebody has a descriptor of it.
 * What a lookup gives is its id: get() opens that.
 */
export abstract class MapOfMaps<K, Inner extends BpfMap> extends BpfMap {
  readonly #elements: Elements<K, number>;
  readonly #inner: MapShape<Inner> | undefined;
  readonly #open = new Set<OwnedMap<Inner>>();

  constructor(handle: MapHandle, key: Codec<K>, inner: MapShape<Inner> | undefined) {
    super(handle);
    this.#elements = new Elements(handle, key, word(handle), 4);
    this.#inner = inner;
    handle.onClose(() => {
      for (const map of [...this.#open]) map.close();
    });
  }

  /**
   * The inner map under `key`, undefined when there is none. It has a descriptor of its own: close it, or say `using`; at
   * the latest it is closed with this map's object. Needs CAP_SYS_ADMIN, as every opening by id.
   */
  get(key: K): OwnedMap<Inner> | undefined {
    const id = this.#elements.get(key);
    return id === undefined ? undefined : this.#byId(id);
  }

  /** Id of the inner map under `key`, undefined when there is none. */
  id(key: K): number | undefined {
    return this.#elements.get(key);
  }

  has(key: K): boolean {
    return this.#elements.has(key);
  }

  /**
   * Puts a map, or the map behind a descriptor, under `key`, in place of the one that was there. It can be closed then.
   * @throws BpfError EINVAL when it is not of the declared shape, with what differs.
   */
  set(key: K, map: BpfMap | Fd, options?: SetOptions): this {
    const fd = typeof map === 'number' ? map : map.fd;
    try {
      this.#elements.set(key, fd, options);
    } catch (error) {
      throw hasCode(error, 'EINVAL') ? this.#misfit(error, fd) : error;
    }
    return this;
  }

  /** Removes the inner map under `key`. False when there was none. */
  delete(key: K): boolean {
    return this.#elements.delete(key);
  }

  /** Removes every inner map. */
  clear(): void {
    for (const [key] of this.ids()) this.#elements.delete(key);
  }

  /** Number of inner maps, counted by walking this one. */
  get size(): number {
    return count(this.ids());
  }

  /** `[key, id of the inner map]` of every entry. */
  *ids(): Generator<[K, number], undefined> {
    for (const key of this.#elements.keys()) {
      const id = this.#elements.get(key);
      if (id !== undefined) yield [key, id];
    }
  }

  /** Every key under which there is a map. */
  *keys(): Generator<K, undefined> {
    for (const [key] of this.ids()) yield key;
  }

  /** Calls `look` with every inner map, which is open as long as that takes: to keep one longer, get() it. */
  forEach(look: (map: Inner, key: K) => void): void {
    for (const [key, id] of this.ids()) {
      const inner = this.#byId(id);
      if (inner === undefined) continue;
      try {
        look(inner, key);
      } finally {
        inner.close();
      }
    }
  }

  /**
   * A new, empty map of the declared shape, which is nowhere yet: set() it. Close it then, or say `using`.
   * @throws BpfError ERR_BPF_STATE when the shape is not known: the map was opened by its pin or id and has no inner map.
   */
  createInner({ maxEntries }: InnerOptions = {}): OwnedMap<Inner> {
    const attributes = this.#template();
    const request = maxEntries === undefined ? attributes : { ...attributes, maxEntries };
    return this.#adopt(this.#create(request), 'inner map');
  }

  #create(request: MapCreate): Fd {
    const { kernel } = this.handle;
    try {
      return kernel.mapCreate(request);
    } catch (error) {
      const { btfFd, btfKeyTypeId: _key, btfValueTypeId: _value, ...plain } = request;
      if (btfFd === undefined) throw operationError(this.handle, error, 'create an inner map for');
      // A kernel that does not like its BTF gets it without, as libbpf does.
      return this.#create(plain);
    }
  }

  /** What an inner map is created with: as the object declares it, else as the first one that is there. */
  #template(): MapCreate {
    const declared = this.handle.inner?.attributes?.();
    if (declared !== undefined) return declared;
    for (const [, id] of this.ids()) {
      const info = this.#infoOf(id);
      if (info === undefined) continue;
      const { type, keySize, valueSize, maxEntries, flags, mapExtra } = info;
      return { type, keySize, valueSize, maxEntries, flags, mapExtra };
    }
    throw new BpfError(
      'ERR_BPF_STATE',
      `create an inner map for ${mapText(this.handle)}: the kernel does not tell its shape, and it holds none to copy; create it where the object is loaded`,
    );
  }

  #infoOf(id: number): MapInfo | undefined {
    const { kernel } = this.handle;
    const fd = this.#fdOf(id);
    if (fd === undefined) return undefined;
    try {
      return kernel.mapInfo(fd);
    } finally {
      kernel.close(fd);
    }
  }

  /** Undefined when it went away since its id was read. */
  #fdOf(id: number): Fd | undefined {
    try {
      return this.handle.kernel.mapById(id);
    } catch (error) {
      if (hasCode(error, 'ENOENT')) return undefined;
      throw operationError(this.handle, error, 'open an inner map of');
    }
  }

  #byId(id: number): OwnedMap<Inner> | undefined {
    const fd = this.#fdOf(id);
    return fd === undefined ? undefined : this.#adopt(fd, `id ${id}`);
  }

  #adopt(fd: Fd, what: string): OwnedMap<Inner> {
    const { kernel, inner } = this.handle;
    let shape = this.#inner;
    if (shape === undefined) {
      const kind = inner?.kindOf(kernel.mapInfo(fd)) ?? otherMap().kind;
      // Without a type of its own, an inner map is whatever its kind makes of bytes.
      shape = { kind } as unknown as MapShape<Inner>;
    }
    const map = adoptMap(fd, { kernel, shape, what, closed: (closed) => this.#open.delete(closed) });
    this.#open.add(map);
    return map;
  }

  /** What the kernel compares (bpf_map_meta_equal, array_map_meta_equal), and says EINVAL about. */
  #misfit(error: unknown, fd: Fd): unknown {
    const wanted = this.handle.inner?.attributes?.();
    if (!isBpfError(error) || wanted === undefined) return error;
    const { name, ...given } = this.handle.kernel.mapInfo(fd);
    const fields = [
      ['type', given.type, wanted.type],
      ['key size', given.keySize, wanted.keySize],
      ['value size', given.valueSize, wanted.valueSize],
      ['flags', given.flags, wanted.flags ?? 0],
      ['max_entries', given.maxEntries, wanted.maxEntries],
    ] as const;
    const different = fields.filter(([, there, here]) => there !== here);
    if (different.length === 0) return error;
    const list = different.map(([field, there, here]) => `${field} ${there} and not ${here}`).join(', ');
    const { code, errno, syscall } = error;
    const message = `${error.message}: ${mapText({ name, maxEntries: given.maxEntries })} has ${list}`;
    return new BpfError(code, message, { errno, syscall, cause: error });
  }
}
