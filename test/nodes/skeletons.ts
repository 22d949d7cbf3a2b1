// Imports every skeleton it is given, and does with it what needs no kernel: as TypeScript where Node strips the types,
// else as JavaScript.
//   node skeletons.ts SKELETON...
import assert from 'node:assert/strict';
import { resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import type { Codec } from '@bpfskel/runtime/codegen/v1';

interface Exported extends Partial<Codec<unknown>> {
  open?(): { destroy(): void };
  elfBytes?(): Uint8Array;
}

/** What bytes say, written and read again, says the same. Ones of eight bytes are numbers, truth values and tags. */
function roundTrip({ size, read, write, sizeOf }: Codec<unknown>): void {
  const ones = new BigUint64Array(Math.ceil(size / 8)).fill(1n);
  const value = read(new DataView(ones.buffer), 0, size);
  const room = sizeOf?.(value) ?? size;
  const view = new DataView(new ArrayBuffer(room));
  write(view, 0, value);
  assert.deepEqual(read(view, 0, room), value);
}

const isCodec = (exported: Exported): exported is Codec<unknown> =>
  typeof exported.read === 'function' && typeof exported.write === 'function';

async function use(path: string): Promise<void> {
  const module: Record<string, Exported> = await import(pathToFileURL(resolve(path)).href);
  for (const [name, exported] of Object.entries(module)) {
    // A record of several types is only read. Its types are exported, too.
    if (isCodec(exported) && !name.endsWith('Record')) roundTrip(exported);
  }
  const skeletons = Object.values(module).filter(({ open, elfBytes }) => open && elfBytes);
  assert.equal(skeletons.length, 1, 'one skeleton is exported');
  for (const skeleton of skeletons) {
    skeleton.open?.().destroy();
    assert.deepEqual(skeleton.elfBytes?.().subarray(0, 4), Uint8Array.of(0x7f, 0x45, 0x4c, 0x46));
  }
}

const paths = process.argv.slice(2);
for (const path of paths) {
  try {
    await use(path);
  } catch (error) {
    console.error(`${path}: ${error instanceof Error ? error.stack : error}`);
    process.exitCode = 1;
  }
}
console.log(`${paths.length} skeletons`);
