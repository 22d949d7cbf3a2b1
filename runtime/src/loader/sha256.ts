// SHA-256 (FIPS 180-4), which names programs to the kernel. Node's own is beyond the kernel interface, and that of the
// web answers later.

/** The first 32 bits of the fractional parts of `root`-th roots of the first `count` primes. */
function constants(count: number, root: number): Uint32Array {
  const words = new Uint32Array(count);
  for (let candidate = 2, found = 0; found < count; candidate++) {
    let prime = true;
    for (let factor = 2; factor * factor <= candidate; factor++) prime &&= candidate % factor !== 0;
    if (!prime) continue;
    const power = candidate ** (1 / root);
    words[found++] = (power - Math.floor(power)) * 0x1_0000_0000;
  }
  return words;
}

const rotated = (word: number, bits: number) => (word >>> bits) | (word << (32 - bits));

/** One block of 64 bytes. */
function compress(state: Uint32Array, block: DataView, offset: number, rounds: Uint32Array): void {
  const words = new Uint32Array(64);
  for (let i = 0; i < 16; i++) words[i] = block.getUint32(offset + i * 4);
  const at = (index: number) => words[index] ?? 0;
  for (let i = 16; i < 64; i++) {
    const [near, far] = [at(i - 2), at(i - 15)];
    const sigma0 = rotated(far, 7) ^ rotated(far, 18) ^ (far >>> 3);
    const sigma1 = rotated(near, 17) ^ rotated(near, 19) ^ (near >>> 10);
    words[i] = at(i - 16) + sigma0 + at(i - 7) + sigma1;
  }
  let [a = 0, b = 0, c = 0, d = 0, e = 0, f = 0, g = 0, h = 0] = state;
  for (let i = 0; i < 64; i++) {
    const sum1 = rotated(e, 6) ^ rotated(e, 11) ^ rotated(e, 25);
    const first = h + sum1 + ((e & f) ^ (~e & g)) + (rounds[i] ?? 0) + at(i);
    const sum0 = rotated(a, 2) ^ rotated(a, 13) ^ rotated(a, 22);
    const second = sum0 + ((a & b) ^ (a & c) ^ (b & c));
    [h, g, f, e, d, c, b, a] = [g, f, e, (d + first) | 0, c, b, a, (first + second) | 0];
  }
  for (const [i, word] of [a, b, c, d, e, f, g, h].entries()) state[i] = (state[i] ?? 0) + word;
}

/** The SHA-256 of `bytes`: 32 bytes. */
export function sha256(bytes: Uint8Array): Uint8Array {
  // A one, zeros, and the number of bits fill the last block.
  const padded = new Uint8Array((Math.floor((bytes.length + 8) / 64) + 1) * 64);
  padded.set(bytes);
  padded[bytes.length] = 0x80;
  const view = new DataView(padded.buffer);
  view.setBigUint64(padded.length - 8, BigInt(bytes.length) * 8n);
  const rounds = constants(64, 3);
  const state = constants(8, 2);
  for (let offset = 0; offset < padded.length; offset += 64) compress(state, view, offset, rounds);
  const digest = new DataView(new ArrayBuffer(32));
  state.forEach((word, i) => {
    digest.setUint32(i * 4, word);
  });
  return new Uint8Array(digest.buffer);
}
