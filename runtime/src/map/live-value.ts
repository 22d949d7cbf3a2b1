import type { Codec, CodecField } from '../codec/codec.js';
import { jsonable, snapshotKey } from '../codec/json.js';
import { BpfError, isBpfError, printable } from '../errors.js';
import { inspect, type Print } from '../printed.js';
import { lengthOf, type Place, readAt, roomOf, writeAt } from './place.js';

// Live values of structs and arrays: objects whose properties are read from memory when they are asked for, and written
// to memory when they are set. To everybody else they look like the plain objects and arrays that decoding gives.

type Fields = Readonly<Record<string, CodecField>>;

/** Does a place show a live object? Everything else shows as the value of the moment. */
function isLive({ codec: { fields, element } }: Place): boolean {
  // Elements without bytes: there is nothing to see of them.
  return fields !== undefined || (element !== undefined && element.size > 0);
}

function liveAt(place: Place): LiveStruct | LiveList {
  return place.codec.fields === undefined ? LiveList.at(place) : new LiveStruct(place);
}

/** What a part shows now. */
function shown({ place, live }: Part): unknown {
  return live ?? frozen(readAt(place));
}

/** What is no live object must not look like one: changing it throws. */
function frozen(value: unknown): unknown {
  if (typeof value !== 'object' || value === null || ArrayBuffer.isView(value)) return value;
  for (const part of Object.values(value)) frozen(part);
  return Object.freeze(value);
}

/** The text of a live value for console.log: that of what it shows now. */
function inspected(place: Place, options: object, print: Print): string {
  try {
    return print(readAt(place), options);
  } catch (error) {
    if (isBpfError(error)) return `[${error.message}]`;
    throw error;
  }
}

/** The properties of live structs, by codec: they are made once for each type. */
const properties = new WeakMap<Codec<unknown>, PropertyDescriptorMap>();

/** A struct in memory, or a section of variables: one property for each field. */
export class LiveStruct {
  readonly #place: Place;
  readonly #parts = new Map<string, Part>();

  /** `place` is that of a struct whose codec states its fields. */
  constructor(place: Place) {
    this.#place = place;
    let known = properties.get(place.codec);
    if (known === undefined) {
      known = LiveStruct.#properties(place.codec.fields?.() ?? {});
      properties.set(place.codec, known);
    }
    Object.defineProperties(this, known);
    Object.preventExtensions(this);
  }

  static #properties(fields: Fields): PropertyDescriptorMap {
    const all: PropertyDescriptorMap = Object.create(null);
    for (const [name, field] of Object.entries(fields)) {
      all[name] = {
        enumerable: true,
        get(this: LiveStruct) {
          return shown(this.#part(name, field));
        },
        set(this: LiveStruct, value: unknown) {
          writeAt(this.#part(name, field).place, value);
        },
      };
    }
    return all;
  }

  #part(name: string, field: CodecField): Part {
    const known = this.#parts.get(name);
    if (known !== undefined) return known;
    const { path, offset, backing } = this.#place;
    const { codec } = field;
    const room = field.room ?? (codec.rest ? () => roomOf(this.#place) - field.offset : undefined);
    const place = { backing, path: `${path}.${name}`, codec, offset: offset + field.offset, room };
    const part = { place, live: isLive(place) ? liveAt(place) : undefined };
    this.#parts.set(name, part);
    return part;
  }

  [snapshotKey](): unknown {
    return readAt(this.#place);
  }

  toJSON(): unknown {
    return jsonable(readAt(this.#place));
  }

  [inspect](_depth: number, options: object, print: Print): string {
    return inspected(this.#place, options, print);
  }
}

/** A field or an element: where it lies, and the live object that shows it if there is one. */
interface Part {
  readonly place: Place;
  readonly live: LiveStruct | LiveList | undefined;
}

/** An array in memory. What users hold is a proxy of it; it has no elements of its own. */
class LiveList extends Array<unknown> {
  readonly #place: Place;
  /** The first elements, as far as they were asked for. */
  readonly #parts: (Part | undefined)[] = [];

  private constructor(place: Place) {
    super();
    this.#place = place;
  }

  static at(place: Place): LiveList {
    const list = new LiveList(place);
    const proxy = new Proxy(list, handler);
    places.set(proxy, place);
    return proxy;
  }

  /** What map(), slice() and the like make is an array of its own. */
  static override get [Symbol.species]() {
    return Array;
  }

  /** An element; undefined where there is none. */
  static part(list: LiveList, index: number): Part | undefined {
    const known = list.#parts[index];
    // It may have been shortened since.
    if (known !== undefined && index < lengthOf(list.#place)) return known;
    const part = list.#part(index);
    if (index < KEPT) list.#parts[index] = part;
    return part;
  }

  #part(index: number): Part | undefined {
    const { backing, path, offset, codec } = this.#place;
    if (index >= lengthOf(this.#place) || codec.element === undefined) return undefined;
    const { element } = codec;
    const place = {
      backing,
      path: `${path}[${index}]`,
      codec: element,
      offset: offset + index * element.size,
    };
    return { place, live: isLive(place) ? liveAt(place) : undefined };
  }

  static lengthOf(list: LiveList): number {
    return lengthOf(list.#place);
  }

  static resize(list: LiveList, length: unknown): void {
    const { backing, path, codec } = list.#place;
    if (typeof length !== 'number' || !Number.isInteger(length) || length < 0) {
      throw new BpfError(
        'ERR_BPF_RANGE',
        `set ${printable(path)}.length: ${String(length)} is no number of elements`,
      );
    }
    if (length !== lengthOf(list.#place)) backing.resize(path, length * (codec.element?.size ?? 0));
  }

  static outside(list: LiveList, index: number): BpfError {
    const { path } = list.#place;
    return new BpfError(
      'ERR_BPF_RANGE',
      `set ${printable(path)}[${index}]: it has ${lengthOf(list.#place)} elements, and they are as many as its type says`,
    );
  }

  [snapshotKey](): unknown {
    return readAt(placeOf(this));
  }

  toJSON(): unknown {
    return jsonable(readAt(placeOf(this)));
  }

  [inspect](_depth: number, options: object, print: Print): string {
    return inspected(placeOf(this), options, print);
  }
}

/** How many elements of a list are remembered. */
const KEPT = 4096;

const places = new WeakMap<LiveList, Place>();

/** Of a proxy, which is what methods are called on. */
function placeOf(list: LiveList): Place {
  const place = places.get(list);
  if (place === undefined) throw new TypeError('not an array in live memory');
  return place;
}

function indexOf(key: string | symbol): number | undefined {
  if (typeof key === 'symbol') return undefined;
  const first = key.charCodeAt(0);
  // Names of methods, most of the time.
  if (!(first >= 48 && first <= 57)) return undefined;
  const index = Number(key) >>> 0;
  return String(index) === key ? index : undefined;
}

function partOf(list: LiveList, key: string | symbol): Part | undefined {
  const index = indexOf(key);
  return index === undefined ? undefined : LiveList.part(list, index);
}

const handler: ProxyHandler<LiveList> = {
  get(list, key, receiver) {
    if (key === 'length') return LiveList.lengthOf(list);
    const index = indexOf(key);
    if (index === undefined) return Reflect.get(list, key, receiver);
    const part = LiveList.part(list, index);
    return part && shown(part);
  },
  set(list, key, value) {
    if (key === 'length') {
      LiveList.resize(list, value);
      return true;
    }
    const index = indexOf(key);
    if (index === undefined) return false;
    const part = LiveList.part(list, index);
    if (part === undefined) throw LiveList.outside(list, index);
    writeAt(part.place, value);
    return true;
  },
  has: (list, key) => partOf(list, key) !== undefined || Reflect.has(list, key),
  ownKeys: (list) => [...Array.from({ length: LiveList.lengthOf(list) }, (_, i) => String(i)), 'length'],
  getOwnPropertyDescriptor(list, key) {
    if (key === 'length') {
      return { value: LiveList.lengthOf(list), writable: true, enumerable: false, configurable: false };
    }
    const part = partOf(list, key);
    return part && { value: shown(part), writable: true, enumerable: true, configurable: true };
  },
  defineProperty: () => false,
  deleteProperty: () => false,
  preventExtensions: () => false,
  setPrototypeOf: () => false,
};
