import { createHash } from 'node:crypto';
import { expect, it } from 'vitest';
import { sha256 } from '../../runtime/src/loader/sha256.js';

it.each([0, 1, 55, 56, 63, 64, 65, 119, 120, 1000, 100_000])(
  'the SHA-256 of %d bytes is that of Node',
  (length) => {
    const bytes = Uint8Array.from({ length }, (_, i) => (i * 31 + length) & 0xff);
    expect(Buffer.from(sha256(bytes)).toString('hex')).toBe(createHash('sha256').update(bytes).digest('hex'));
  },
);
