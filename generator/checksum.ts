/** Words that one call mixes in: V8 compiles this sooner than a loop over all of a large skeleton. */
const STEP = 512;

/**
 * 16 hexadecimal digits that differ when a text does. They tell accidents, not attacks: whoever edits the text can
 * compute them again. Loading Node's crypto would take longer than a small skeleton does.
 */
export function checksum(bytes: Uint8Array): string {
  const lanes = new Int32Array([0x9e3779b9, 0x85ebca6b, 0xc2b2ae35, bytes.length]);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const whole = bytes.length & ~15;
  for (let from = 0; from < whole; from += 4 * STEP) mix(lanes, view, from, Math.min(from + 4 * STEP, whole));
  const rest = new DataView(new ArrayBuffer(16));
  for (let at = whole; at < bytes.length; at++) rest.setUint8(at - whole, view.getUint8(at));
  mix(lanes, rest, 0, 16);
  const [a = 0, b = 0, c = 0, d = 0] = lanes;
  const first = spread(a ^ rotated(spread(b ^ rotated(spread(c ^ rotated(spread(d)))))));
  return (
    hex(first) + hex(spread(first ^ rotated(a + Math.imul(b, 5) + Math.imul(c, 25) + Math.imul(d, 125))))
  );
}

/** Four words at a time, each into a lane of its own. No word can change without its lane. */
function mix(lanes: Int32Array, view: DataView, from: number, to: number): void {
  let [a = 0, b = 0, c = 0, d = 0] = lanes;
  for (let at = from; at < to; at += 16) {
    a = Math.imul(a ^ view.getInt32(at, true), 0x9e3779b1);
    b = Math.imul(b ^ view.getInt32(at + 4, true), 0x9e3779b1);
    c = Math.imul(c ^ view.getInt32(at + 8, true), 0x9e3779b1);
    d = Math.imul(d ^ view.getInt32(at + 12, true), 0x9e3779b1);
    a ^= a >>> 15;
    b ^= b >>> 15;
    c ^= c >>> 15;
    d ^= d >>> 15;
  }
  lanes.set([a, b, c, d]);
}

function rotated(word: number): number {
  return (word << 13) | (word >>> 19);
}

/** Every bit of the answer depends on every bit of `word`: the last step of MurmurHash3. */
function spread(word: number): number {
  let mixed = Math.imul(word ^ (word >>> 16), 0x85ebca6b);
  mixed = Math.imul(mixed ^ (mixed >>> 13), 0xc2b2ae35);
  return mixed ^ (mixed >>> 16);
}

function hex(word: number): string {
  return (word >>> 0).toString(16).padStart(8, '0');
}
