import { SyscallError } from '../errors.js';
import type {
  MapBatch,
  MapBatchResult,
  MapCreate,
  MapInfo,
  MapWriteBatch,
  MapWriteResult,
} from '../kernel/kernel.js';
import { BPF_ANY, BPF_EXIST, BPF_F_LOCK, BPF_NOEXIST } from '../uapi.js';
import { type ErrnoName, refusal } from './refusal.js';

/** What a fake map is created with, besides what the caller of mapCreate says. */
export interface FakeMapFacts {
  readonly id: number;
  /** Bytes that a lookup fills. */
  readonly lookupSize: number;
  readonly littleEndian: boolean;
  /** It has a value for each possible CPU. */
  readonly perCpu?: boolean;
}

/** A map of the fake kernel, seen from inside. `keys` and values are bytes. */
export abstract class FakeMap {
  readonly id: number;
  readonly attributes: Readonly<MapCreate>;
  readonly lookupSize: number;
  readonly littleEndian: boolean;
  readonly perCpu: boolean;
  /** After BPF_MAP_FREEZE. */
  frozen = false;

  constructor(attributes: MapCreate, facts: FakeMapFacts) {
    this.attributes = { ...attributes };
    this.id = facts.id;
    this.lookupSize = facts.lookupSize;
    this.littleEndian = facts.littleEndian;
    this.perCpu = facts.perCpu ?? false;
  }

  get name(): string {
    return this.attributes.name ?? '';
  }

  get type(): number {
    return this.attributes.type;
  }

  get maxEntries(): number {
    return this.attributes.maxEntries;
  }

  /** Entries as the kernel holds them, in its order. */
  abstract entries(): Iterable<[Uint8Array, Uint8Array]>;

  lookup(_key: Uint8Array | null, _value: Uint8Array): boolean {
    throw this.refuse('MAP_LOOKUP_ELEM', 'ENOTSUPP');
  }

  update(_key: Uint8Array | null, _value: Uint8Array, _flags: bigint): void {
    throw this.refuse('MAP_UPDATE_ELEM', 'ENOTSUPP');
  }

  delete(_key: Uint8Array): boolean {
    throw this.refuse('MAP_DELETE_ELEM', 'ENOTSUPP');
  }

  take(_key: Uint8Array | null, _value: Uint8Array): boolean {
    throw this.refuse('MAP_LOOKUP_AND_DELETE_ELEM', 'ENOTSUPP');
  }

  nextKey(_key: Uint8Array | null, _next: Uint8Array): boolean {
    throw this.refuse('MAP_GET_NEXT_KEY', 'ENOTSUPP');
  }

  batch(_batch: MapBatch): MapBatchResult {
    throw this.refuse('MAP_LOOKUP_BATCH', 'ENOTSUPP');
  }

  updateBatch(_batch: MapWriteBatch): MapWriteResult {
    throw this.refuse('MAP_UPDATE_BATCH', 'ENOTSUPP');
  }

  deleteBatch(_batch: Omit<MapWriteBatch, 'values'>): MapWriteResult {
    throw this.refuse('MAP_DELETE_BATCH', 'ENOTSUPP');
  }

  /** Maps that are held by being in this one. */
  inner(): readonly FakeMap[] {
    return [];
  }

  /** The memory that mmap(2) of the map shows, undefined when it has none. */
  memory(_offset: number, _length: number, _writable: boolean): ArrayBuffer | undefined {
    return undefined;
  }

  info(): MapInfo {
    const { type, keySize, valueSize, maxEntries, flags = 0, mapExtra = 0n } = this.attributes;
    return { type, id: this.id, keySize, valueSize, maxEntries, flags, name: this.name, btfId: 0, mapExtra };
  }

  /** generic_map_update_batch(): entry by entry, and no flag but BPF_F_LOCK. */
  protected updateEach({ keys, values, count, flags = BPF_ANY }: MapWriteBatch): MapWriteResult {
    if ((flags & ~BPF_F_LOCK) !== 0n) throw this.refuse('MAP_UPDATE_BATCH', 'EINVAL');
    const { keySize } = this.attributes;
    const { lookupSize } = this;
    return this.#each(count, (index) => {
      const value = values.subarray(index * lookupSize, (index + 1) * lookupSize);
      this.update(keys.subarray(index * keySize, (index + 1) * keySize), value, BPF_ANY);
    });
  }

  /** generic_map_delete_batch(): stops at a key that is not there. */
  protected deleteEach({ keys, count }: Omit<MapWriteBatch, 'values'>): MapWriteResult {
    const { keySize } = this.attributes;
    return this.#each(count, (index) => {
      const there = this.delete(keys.subarray(index * keySize, (index + 1) * keySize));
      if (!there) throw this.refuse('MAP_DELETE_BATCH', 'ENOENT');
    });
  }

  #each(count: number, act: (index: number) => void): MapWriteResult {
    for (let index = 0; index < count; index++) {
      try {
        act(index);
      } catch (error) {
        if (error instanceof SyscallError) return { count: index, refusal: error };
        throw error;
      }
    }
    return { count };
  }

  protected refuse(command: string, errno: ErrnoName): Error {
    return refusal(`bpf(BPF_${command})`, errno);
  }
}

interface Entry {
  readonly key: Uint8Array;
  value: Uint8Array;
  /** Grows with every new entry: where a batch goes on. */
  readonly sequence: number;
  /** Grows with every write: what LRU maps evict by. */
  used: number;
  previous: Entry | undefined;
  next: Entry | undefined;
}

/** Hash maps of all sorts, and whatever else has free keys. Order is that of creation. */
export class FakeHash extends FakeMap {
  readonly #entries = new Map<string, Entry>();
  readonly #evicts: boolean;
  #first: Entry | undefined;
  #last: Entry | undefined;
  #clock = 0;

  /** `evicts`: as LRU maps, make room instead of refusing. */
  constructor(attributes: MapCreate, facts: FakeMapFacts, evicts: boolean) {
    super(attributes, facts);
    this.#evicts = evicts;
  }

  override *entries(): Generator<[Uint8Array, Uint8Array], undefined> {
    for (const { key, value } of [...this.#entries.values()]) yield [key.slice(), value.slice()];
  }

  override lookup(key: Uint8Array | null, value: Uint8Array): boolean {
    const entry = this.#entries.get(textOf(key));
    if (entry === undefined) return false;
    value.set(entry.value);
    return true;
  }

  override update(key: Uint8Array | null, value: Uint8Array, flags: bigint): void {
    const text = textOf(key);
    const entry = this.#entries.get(text);
    if (entry !== undefined && flags === BPF_NOEXIST) throw this.refuse('MAP_UPDATE_ELEM', 'EEXIST');
    if (entry === undefined && flags === BPF_EXIST) throw this.refuse('MAP_UPDATE_ELEM', 'ENOENT');
    this.#clock++;
    if (entry !== undefined) {
      entry.value = value.slice(0, this.lookupSize);
      entry.used = this.#clock;
      return;
    }
    // Storages of attachments have no limit.
    if (this.maxEntries > 0 && this.#entries.size >= this.maxEntries) {
      if (!this.#evicts) throw this.refuse('MAP_UPDATE_ELEM', 'E2BIG');
      this.#evict();
    }
    this.#append(text, (key ?? new Uint8Array(0)).slice(), value.slice(0, this.lookupSize));
  }

  override delete(key: Uint8Array): boolean {
    const text = textOf(key);
    const entry = this.#entries.get(text);
    if (entry === undefined) return false;
    this.#entries.delete(text);
    if (entry.previous) entry.previous.next = entry.next;
    else this.#first = entry.next;
    if (entry.next) entry.next.previous = entry.previous;
    else this.#last = entry.previous;
    return true;
  }

  override take(key: Uint8Array, value: Uint8Array): boolean {
    return this.lookup(key, value) && this.delete(key);
  }

  /** As the kernel: a key that is gone starts the walk anew. */
  override nextKey(key: Uint8Array | null, next: Uint8Array): boolean {
    const current = key === null ? undefined : this.#entries.get(textOf(key));
    const entry = current === undefined ? this.#first : current.next;
    if (entry === undefined) return false;
    next.set(entry.key);
    return true;
  }

  override batch({ keys, values, count, cursor, remove }: MapBatch): MapBatchResult {
    const after = cursor === null ? 0 : new DataView(cursor.buffer, cursor.byteOffset).getUint32(0);
    let entry = this.#first;
    while (entry !== undefined && entry.sequence <= after) entry = entry.next;
    let done = 0;
    let last = after;
    for (; entry !== undefined && done < count; entry = entry.next, done++) {
      keys.set(entry.key, done * entry.key.length);
      values.set(entry.value, done * this.lookupSize);
      last = entry.sequence;
      if (remove) this.delete(entry.key);
    }
    const position = new Uint8Array(Math.max(8, this.attributes.keySize));
    new DataView(position.buffer).setUint32(0, last);
    return { count: done, cursor: entry === undefined ? undefined : position };
  }

  override updateBatch(batch: MapWriteBatch): MapWriteResult {
    return this.updateEach(batch);
  }

  override deleteBatch(batch: Omit<MapWriteBatch, 'values'>): MapWriteResult {
    return this.deleteEach(batch);
  }

  #append(text: string, key: Uint8Array, value: Uint8Array): void {
    const previous = this.#last;
    const entry: Entry = { key, value, sequence: this.#clock, used: this.#clock, previous, next: undefined };
    if (previous) previous.next = entry;
    else this.#first = entry;
    this.#last = entry;
    this.#entries.set(text, entry);
  }

  #evict(): void {
    let oldest = this.#first;
    for (let entry = this.#first; entry !== undefined; entry = entry.next) {
      if (oldest === undefined || entry.used < oldest.used) oldest = entry;
    }
    if (oldest !== undefined) this.delete(oldest.key);
  }
}

/** Bytes as a Map's key. */
function textOf(key: Uint8Array | null): string {
  return key === null ? '' : String.fromCharCode(...key);
}
