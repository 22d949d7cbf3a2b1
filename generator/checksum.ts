/** What three lanes begin with; the fourth begins with the length. */
const SEEDS = [0x9e3779b9, 0x85ebca6b, 0xc2b2ae35];

/**
 * 16 hexadecimal digits that differ when a text does. They tell accidents, not attacks: whoever edits the text can
 * compute them again. Loading Node's crypto would take longer than a small skeleton does.
 */
export function checksum(bytes: Uint8Array): string {
  const whole = bytes.length & ~15;
  const words = littleWords(bytes.subarray(0, whole));
  const rest = new Uint8Array(16);
  rest.set(bytes.subarray(whole));
  const restWords = littleWords(rest);
  const [a = 0, b = 0, c = 0, d = 0] = [...SEEDS, bytes.length].map((seed, lane) =>
    mixed(mixed(seed, words, lane), restWords, lane),
  );
  const first = spread(a ^ rotated(spread(b ^ rotated(spread(c ^ rotated(spread(d)))))));
  return (
    hex(first) + hex(spread(first ^ rotated(a + Math.imul(b, 5) + Math.imul(c, 25) + Math.imul(d, 125))))
  );
}

/**
 * Mixes every fourth word into a lane. No word can change without its lane. A lane at a time: V8 compiles so little in a
 * third of the time that all four in one loop take, and a large skeleton is over before that.
 */
function mixed(seed: number, words: Int32Array, lane: number): number {
  let mix = seed | 0;
  for (let at = lane; at < words.length; at += 4) {
    mix = Math.imul(mix ^ (words[at] ?? 0), 0x9e3779b1);
    mix ^= mix >>> 15;
  }
  return mix;
}

const littleHost = new Uint8Array(new Uint16Array([1]).buffer)[0] === 1;

/** Little-endian words on every host: the same memory where that is possible. */
function littleWords({ buffer, byteOffset, length }: Uint8Array): Int32Array {
  if (byteOffset % 4 === 0 && littleHost) return new Int32Array(buffer, byteOffset, length / 4);
  const view = new DataView(buffer, byteOffset, length);
  return Int32Array.from({ length: length / 4 }, (_, index) => view.getInt32(index * 4, true));
}

function rotated(word: number): number {
  return (word << 13) | (word >>> 19);
}

/** Every bit of the answer depends on every bit of `word`: the last step of MurmurHash3. */
function spread(word: number): number {
  let hash = Math.imul(word ^ (word >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return hash ^ (hash >>> 16);
}

function hex(word: number): string {
  return (word >>> 0).toString(16).padStart(8, '0');
}
