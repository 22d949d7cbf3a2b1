import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { skeletonText } from './skeleton-text.js';

it('gen tells of BTF that it cannot use', () => {
  const folder = mkdtempSync(join(tmpdir(), 'bpfskel-warnings-'));
  try {
    const bytes = readFileSync(new URL('../golden/floats/in.bpf.o', import.meta.url));
    // The version behind the magic number of .BTF; .BTF.ext has the same magic, and comes behind it.
    bytes[bytes.indexOf(Uint8Array.of(0x9f, 0xeb)) + 2] = 9;
    const object = join(folder, 'floats.o');
    writeFileSync(object, bytes);
    const warnings: string[] = [];
    const text = skeletonText({ object, warn: (warning) => warnings.push(warning) });
    expect(text).not.toContain('single: number');
    expect(warnings).toEqual([expect.stringMatching(/^BTF is ignored: .*version/)]);
  } finally {
    rmSync(folder, { recursive: true });
  }
});
