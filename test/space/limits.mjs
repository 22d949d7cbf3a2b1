// What codecs may take of the heap: to decode as much as the value that remains, to encode nothing, but for these.

/**
 * @typedef {{ names: RegExp, decoding?: number, encoding?: number | 'as its value', sometimes?: true }} Exception
 * More than the value, and more than nothing; `sometimes`: V8 may do without.
 * @typedef {{ name: string, decoding: number, value: number, encoding: number }} Space
 */

/** A hundredth for what is not the codec's, and single bytes of what V8 makes once. */
const close = (bytes) => bytes * 1.01 + 2;

/**
 * A bigint of more than 64 bits is made of its halves: 24 bytes, 24, and 32 with one in its place. A string in hex on the
 * way would have 56, and take five times as long. Its upper half is written.
 */
const int128 = (count, names) => ({ names, decoding: 80 * count, encoding: 24 * count });

/** Memory that programs write to is read and written 8 aligned bytes at once, which JavaScript does with a bigint. */
const words = (count, names) => ({ names, decoding: 24 * count, encoding: 48 * count });

/** A number of more than 32 bits is boxed on its way into a function or out of it, where V8 leaves the call as it is. */
const boxed = (count, names) => ({ names, decoding: 16 * count, encoding: 16 * count, sometimes: true });

/** @type {readonly Exception[]} The only ones that take more, and why. */
export const exceptions = [
  int128(1, /^[iu]128(be)?$/),
  int128(3, /^u128\[\]$/),
  int128(5, /^u128\[5\]$/),
  int128(2, /^scalars\.Scalars_2$/),
  int128(4 * 2, /^per-CPU struct$/),
  words(4, /^variable u64\[4\]$/),
  words(2, /^variable char\[16\]$/),
  // Reading variables and writing them, the struct has a union, too.
  { names: /^variable struct$/, decoding: 9 * 24, encoding: 9 * 48 + 640 },
  boxed(1, /^[iu]64n(be)?$|^key of an array$|^descriptor$/),
  boxed(3, /^u64_number\.Counters$/),
  boxed(5, /^[iu]64n\[5\]$/),
  // The 64 bits that tell its type are looked up as a bigint.
  { names: /^record_union\.NumberedRecord$/, decoding: 24 },
  // A union reads back what it wrote: arms that contradict each other are refused.
  {
    names:
      /^(anonymous\.Packet|flexible\.Either|live_globals\.Stats|placeholders\.PlaceholderStructTag|prototype\.\w+|tagged_union\.Chosen(Other)?|union\.\w+)$/,
    encoding: 'as its value',
  },
  // A view that ends where the value of one CPU does, for its flexible array.
  { names: /^per-CPU flexible$/, encoding: 4 * 80 },
];

/** @param {Space} space */
function exceptionOf({ name }) {
  return exceptions.find(({ names }) => names.test(name));
}

/**
 * Is it one of the exceptions?
 * @param {Space} space
 */
export function isExcepted(space) {
  return exceptionOf(space) !== undefined;
}

/** @param {Space} space */
export function mostToDecode(space) {
  return close(space.value + (exceptionOf(space)?.decoding ?? 0));
}

/** Besides its value a union makes the list of its members for each object in it. */
const LISTS = 100;

/** @param {Space} space */
export function mostToEncode(space) {
  const more = exceptionOf(space)?.encoding ?? 0;
  return close(more === 'as its value' ? space.value + LISTS : more);
}

/**
 * Does it take more than its result?
 * @param {Space} space
 */
export function isMore({ decoding, value, encoding }) {
  return decoding > close(value) || encoding > close(0);
}
