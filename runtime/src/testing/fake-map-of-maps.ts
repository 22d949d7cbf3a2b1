import type { MapCreate } from '../kernel/kernel.js';
import { BPF_F_INNER_MAP, BPF_MAP_TYPE } from '../uapi.js';
import { FakeSlots } from './fake-array.js';
import { FakeHash, type FakeMap, type FakeMapFacts } from './fake-map.js';
import { refusal } from './refusal.js';

/** Finds the map behind a descriptor, or refuses it. */
type MapBehind = (fd: number) => FakeMap;

/** BPF_MAP_TYPE_ARRAY_OF_MAPS. */
export class FakeArrayOfMaps extends FakeSlots<FakeMap> {
  constructor(attributes: MapCreate, facts: FakeMapFacts, mapBehind: MapBehind) {
    super(attributes, facts, likeTemplate(attributes, mapBehind));
  }

  override inner(): readonly FakeMap[] {
    return Array.from({ length: this.maxEntries }, (_, index) => this.slot(index)).flatMap(
      (map) => map ?? [],
    );
  }
}

/** BPF_MAP_TYPE_HASH_OF_MAPS: the values that a lookup shows are ids. */
export class FakeHashOfMaps extends FakeHash {
  readonly #resolve: MapBehind;
  readonly #maps = new Map<number, FakeMap>();

  constructor(attributes: MapCreate, facts: FakeMapFacts, mapBehind: MapBehind) {
    super(attributes, facts, false);
    this.#resolve = likeTemplate(attributes, mapBehind);
  }

  override update(key: Uint8Array, value: Uint8Array, flags: bigint): void {
    const map = this.#resolve(this.#word(value).getUint32(0, this.littleEndian));
    const id = new Uint8Array(4);
    this.#word(id).setUint32(0, map.id, this.littleEndian);
    super.update(key, id, flags);
    this.#maps.set(map.id, map);
  }

  override inner(): readonly FakeMap[] {
    return [...this.entries()].flatMap(([, id]) => {
      const map = this.#maps.get(this.#word(id).getUint32(0, this.littleEndian));
      return map ?? [];
    });
  }

  #word(bytes: Uint8Array): DataView {
    return new DataView(bytes.buffer, bytes.byteOffset);
  }
}

/** bpf_map_meta_equal(): the map behind a descriptor, if it is of the shape of the map that the outer one was made with. */
function likeTemplate({ innerMapFd }: MapCreate, mapBehind: MapBehind): MapBehind {
  if (innerMapFd === undefined) throw refusal('bpf(BPF_MAP_CREATE)', 'EBADF');
  const { attributes: template } = mapBehind(innerMapFd);
  return (fd) => {
    const map = mapBehind(fd);
    const given = map.attributes;
    const same =
      given.type === template.type &&
      given.keySize === template.keySize &&
      given.valueSize === template.valueSize &&
      (given.flags ?? 0) === (template.flags ?? 0) &&
      (given.maxEntries === template.maxEntries || sizeIsFree(template));
    if (!same) throw refusal('bpf(BPF_MAP_UPDATE_ELEM)', 'EINVAL');
    return map;
  };
}

/** array_map_meta_equal(): programs index arrays without looking at their length, unless told otherwise. */
function sizeIsFree({ type, flags = 0 }: MapCreate): boolean {
  const { ARRAY, PERCPU_ARRAY } = BPF_MAP_TYPE;
  return (type !== ARRAY && type !== PERCPU_ARRAY) || (flags & BPF_F_INNER_MAP) !== 0;
}
