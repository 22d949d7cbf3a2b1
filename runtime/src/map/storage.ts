import type { Codec } from '../codec/codec.js';
import type { Fd } from '../kernel/kernel.js';
import { Elements } from './elements.js';
import { fdOf, type HasFd, withFd } from './holder.js';
import { BpfMap, type MapHandle } from './map.js';
import type { GetOptions, SetOptions } from './options.js';
import { word } from './word.js';

/**
 * Values that programs keep with objects of the kernel. A value goes with its object; the kernel lists neither. `Owner`
 * is how this side names such an object: each system call is given a descriptor of it.
 */
export abstract class LocalStorage<Owner, V> extends BpfMap {
  readonly #elements: Elements<Fd, V>;

  constructor(handle: MapHandle, value: Codec<V>) {
    super(handle);
    this.#elements = new Elements(handle, word(handle), value);
  }

  /** The value that is kept with `owner`, undefined when there is none. */
  get(owner: Owner, options?: GetOptions): V | undefined {
    return this.withOwner(owner, (fd) => this.#elements.get(fd, options));
  }

  /** The bytes of the value that is kept with `owner`, a copy. */
  getBytes(owner: Owner, options?: GetOptions): Uint8Array | undefined {
    return this.withOwner(owner, (fd) => this.#elements.getBytes(fd, options));
  }

  has(owner: Owner): boolean {
    return this.withOwner(owner, (fd) => this.#elements.has(fd));
  }

  /**
   * Keeps a value with `owner`, in place of the one that was there; padding is written as zero.
   * @throws BpfError EEXIST or ENOENT when `flag` forbids it, EBADF when `owner` is of another sort
   */
  set(owner: Owner, value: V, options?: SetOptions): this {
    this.withOwner(owner, (fd) => this.#elements.set(fd, value, options, owner));
    return this;
  }

  /** Removes the value that is kept with `owner`. False when there was none. */
  delete(owner: Owner): boolean {
    return this.withOwner(owner, (fd) => this.#elements.delete(fd));
  }

  /** Calls `use` with a descriptor of `owner`. */
  protected abstract withOwner<T>(owner: Owner, use: (fd: Fd) => T): T;
}

/** Storage of what has a path: files, cgroups. */
export abstract class PathStorage<V> extends LocalStorage<string | HasFd, V> {
  protected override withOwner<T>(owner: string | HasFd, use: (fd: Fd) => T): T {
    return withFd(this.handle, owner, use);
  }
}

/** Storage of what only its holder can name. */
export abstract class HolderStorage<V> extends LocalStorage<HasFd, V> {
  protected override withOwner<T>(owner: HasFd, use: (fd: Fd) => T): T {
    return use(fdOf(this.handle, owner));
  }
}
