import type { Codec } from '../codec/codec.js';
import { storeBytes } from '../codec/raw.js';
import { BpfError } from '../errors.js';
import { BPF_MAP_TYPE } from '../uapi.js';
import { KeyedMap } from './keyed.js';
import { type MapHandle, type MapKind, type MapShape, mapKind } from './map.js';
import { mapText } from './map-error.js';
import { Prefix } from './prefix.js';
import { bytesAt } from './raw.js';
import { keyCodec, valueCodec } from './sizes.js';

/**
 * What a trie takes as a key: its C struct; `'10.0.0.0/8'` or an address when the struct has 4 (IPv4) or 16 (IPv6) bytes
 * of data behind its prefix length; any bits as a {@link Prefix}.
 */
export type TrieKey<K> = K | Prefix | string;

/**
 * BPF_MAP_TYPE_LPM_TRIE: prefixes, of which a lookup finds the longest that its key begins with. A lookup of an address
 * is a lookup of a prefix of all its bits. `delete` and `take` want the very prefix. Linux 4.11; walking it 4.16.
 *
 * ```ts
 * skel.maps.routes.set('10.0.0.0/8', { next_hop: 1 });
 * skel.maps.routes.get('10.1.2.3');
 * ```
 */
export class LpmTrieMap<K, V> extends KeyedMap<TrieKey<K>, V> {
  readonly #codec: TrieKeyCodec<K>;

  constructor(handle: MapHandle, key: Codec<K>, value: Codec<V>) {
    const codec = new TrieKeyCodec(handle, key);
    super(handle, codec, value);
    this.#codec = codec;
  }

  /** A key as bits, which print as `10.0.0.0/8`. */
  prefixOf(key: TrieKey<K>): Prefix {
    return this.#codec.prefixOf(key);
  }

  /** `[prefix, value]` of every entry: as entries(), with keys that print. */
  *prefixes(): Generator<[Prefix, V], undefined> {
    for (const [key, value] of this.entries()) yield [this.#codec.prefixOf(key), value];
  }

  /** All entries, in no order; see KeyedMap. */
  override entries(): Generator<[K, V], undefined> {
    // Keys that are read are of the key's own type.
    return super.entries() as Generator<[K, V], undefined>;
  }

  override keys(): Generator<K, undefined> {
    return super.keys() as Generator<K, undefined>; // as entries()
  }

  override [Symbol.iterator](): Generator<[K, V], undefined> {
    return this.entries();
  }
}

/** `struct bpf_lpm_trie_key`: 32 bits of prefix length in the host's order, then data whose first bit is the highest. */
export class TrieKeyCodec<K> implements Codec<TrieKey<K>> {
  readonly size: number;
  readonly #key: Codec<K>;
  readonly #what: string;
  readonly #littleEndian: boolean;

  constructor(handle: MapHandle, key: Codec<K>) {
    this.size = handle.keySize;
    this.#key = key;
    this.#what = `key of ${mapText(handle)}`;
    this.#littleEndian = handle.kernel.littleEndian;
  }

  read(view: DataView, offset: number): K {
    return this.#key.read(view, offset, offset + this.size);
  }

  write(view: DataView, offset: number, key: TrieKey<K>): void {
    const data = this.size - 4;
    const prefix = typeof key === 'string' ? this.#parse(key) : key;
    if (!(prefix instanceof Prefix)) {
      this.#key.write(view, offset, prefix);
      this.#check(view.getUint32(offset, this.#littleEndian));
      return;
    }
    if (prefix.bytes.length !== data) {
      throw new BpfError(
        'ERR_BPF_LAYOUT',
        `${this.#what}: takes ${data} bytes of data, a prefix of ${prefix.bytes.length} was given`,
      );
    }
    view.setUint32(offset, prefix.length, this.#littleEndian);
    storeBytes(view, offset + 4, prefix.bytes);
  }

  prefixOf(key: TrieKey<K>): Prefix {
    const view = new DataView(new ArrayBuffer(this.size));
    this.write(view, 0, key);
    return new Prefix(bytesAt(view, 4, this.size - 4), view.getUint32(0, this.#littleEndian));
  }

  #parse(text: string): Prefix {
    const prefix = Prefix.parse(text);
    const data = this.size - 4;
    if (prefix.bytes.length === data) return prefix;
    const [given, advice] =
      prefix.bytes.length === 4 ? ['IPv4', '; the IPv6 form is ::ffff:1.2.3.4/128'] : ['IPv6', ''];
    throw new BpfError(
      'ERR_BPF_ARGUMENT',
      `${this.#what}: "${text}" is ${given}, which has ${prefix.bytes.length} bytes; its data has ${data}${data === 16 ? advice : ''}`,
    );
  }

  #check(length: number): void {
    const bits = (this.size - 4) * 8;
    if (length <= bits) return;
    throw new BpfError(
      'ERR_BPF_RANGE',
      `${this.#what}: a prefix length of ${length} is more than the ${bits} bits of its data`,
    );
  }
}

/** `lpmTrie(RouteKey, Route)`: a BPF_MAP_TYPE_LPM_TRIE in a skeleton. */
export const lpmTrie = mapKind(
  {
    kindName: 'lpmTrie',
    types: [BPF_MAP_TYPE.LPM_TRIE],
    codecs: ['key', 'value'],
    open: (handle, key, value) =>
      new LpmTrieMap<unknown, unknown>(handle, keyCodec(handle, key), valueCodec(handle, value)),
  },
  (kind) =>
    <K, V>(key: Codec<K>, value: Codec<V>): MapShape<LpmTrieMap<K, V>> => ({
      // open() is given these very codecs.
      kind: kind as MapKind<LpmTrieMap<K, V>>,
      key,
      value,
    }),
);
