import type { Codec } from '../codec/codec.js';
import { BpfError } from '../errors.js';
import { count } from './count.js';
import { Elements } from './elements.js';
import { fdOf, type HasFd } from './holder.js';
import { BpfMap, type MapHandle } from './map.js';
import { hasCode, mapText } from './map-error.js';
import type { SetOptions } from './options.js';

/**
 * A map of sockets. A socket goes in by its descriptor and leaves the map when it is closed. What can be read is its
 * cookie, as getsockopt(SO_COOKIE) gives it, if the values of the map are declared with 64 bits.
 */
export abstract class SocketMap<K> extends BpfMap {
  protected readonly elements: Elements<K, bigint>;

  constructor(handle: MapHandle, key: Codec<K>) {
    super(handle);
    this.elements = new Elements(handle, key, socketValue(handle));
  }

  /**
   * Puts a socket under `key`, in place of the one that was there.
   * @throws BpfError EOPNOTSUPP or EINVAL when the kernel does not take sockets of its protocol or state
   */
  set(key: K, socket: HasFd, options?: SetOptions): this {
    this.elements.set(key, BigInt(fdOf(this.handle, socket)), options);
    return this;
  }

  /**
   * Cookie of the socket under `key`, undefined when there is none.
   * @throws BpfError ENOSPC when the values of the map have 32 bits, which hold no cookie
   */
  get(key: K): bigint | undefined {
    try {
      return this.elements.get(key);
    } catch (error) {
      if (!hasCode(error, 'ENOSPC') || this.valueSize === 8) throw error;
      throw new BpfError(
        'ENOSPC',
        `get from ${mapText(this.handle)}: its values have ${this.valueSize} bytes, and a cookie of a socket 8; declare it with __type(value, __u64)`,
        { errno: 28, cause: error },
      );
    }
  }

  has(key: K): boolean {
    return this.get(key) !== undefined;
  }

  /** Takes a socket out of the map; it stays open. False when there was none. */
  delete(key: K): boolean {
    return this.elements.delete(key);
  }

  /** Takes every socket out of the map. */
  clear(): void {
    this.elements.clear();
  }

  /** `[key, cookie]` of every socket. */
  *entries(): Generator<[K, bigint], undefined> {
    for (const key of this.elements.keys()) {
      const cookie = this.get(key);
      if (cookie !== undefined) yield [key, cookie];
    }
  }

  /** Every key under which there is a socket. */
  *keys(): Generator<K, undefined> {
    for (const [key] of this.entries()) yield key;
  }

  /** The cookies of all sockets. */
  *values(): Generator<bigint, undefined> {
    for (const [, cookie] of this.entries()) yield cookie;
  }

  /** Number of sockets, counted by walking the map. Needs values of 64 bits, as get() does. */
  get size(): number {
    return count(this.keys());
  }

  [Symbol.iterator](): Generator<[K, bigint], undefined> {
    return this.entries();
  }
}

/** A descriptor is written, a cookie is read. */
function socketValue({ valueSize, kernel: { littleEndian } }: MapHandle): Codec<bigint> {
  if (valueSize === 8) {
    return {
      size: 8,
      read: (view, offset) => view.getBigUint64(offset, littleEndian),
      write: (view, offset, fd) => view.setBigUint64(offset, fd, littleEndian),
    };
  }
  return {
    size: 4,
    read: (view, offset) => BigInt(view.getUint32(offset, littleEndian)),
    write: (view, offset, fd) => view.setUint32(offset, Number(fd), littleEndian),
  };
}
