/**
 * 16 hexadecimal digits that differ when a text does. They tell accidents, not attacks: whoever edits the text can
 * compute them again. Loading Node's crypto would take longer than a small skeleton does.
 */
export function checksum(text: string): string {
  const bytes = new TextEncoder().encode(text);
  const view = new DataView(bytes.buffer);
  let a = 0x9e3779b9 ^ bytes.length;
  let b = 0x85ebca6b ^ bytes.length;
  const mix = (word: number) => {
    a = rotated(Math.imul(a ^ word, 0x9e3779b1));
    b = rotated(Math.imul(b + word, 0x85ebca77) ^ a);
  };
  const whole = bytes.length & ~3;
  for (let at = 0; at < whole; at += 4) mix(view.getInt32(at, true));
  for (let at = whole; at < bytes.length; at++) mix(view.getUint8(at));
  return hex(spread(a ^ rotated(b))) + hex(spread(b));
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
