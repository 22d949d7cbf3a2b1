import { spawnSync } from 'node:child_process';
import { copyFileSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type OutputOptions, rolldown } from 'rolldown';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';

// A program and the skeletons it imports, made into one file as applications are shipped: with the published runtime.

const root = fileURLToPath(new URL('../..', import.meta.url));
const golden = (name: string) => join(root, 'test/golden', name);
const program = `
import { fakeKernel } from '@bpfskel/runtime/testing';
import { Traffic, xdp_kern } from '${root}/examples/xdp/xdp.skel.ts';
import { embed_file } from '${golden('embed_file')}/expected.skel.ts';

const kernel = fakeKernel();
const skel = xdp_kern.open({ kernel }).load();
skel.maps.by_protocol.set(6, skel.maps.by_protocol.get(6).map(() => ({ packets: 7n, bytes: 9n })));
console.log(skel.maps.by_protocol.constructor.name, skel.maps.by_protocol.get(6)[0], Traffic.size);
skel.destroy();
console.log(Object.keys(embed_file.open().progs).length > 0);
`;

let folder: string;
beforeAll(() => {
  // Inside the repository, where a bundle finds koffi.
  mkdirSync(join(root, 'build'), { recursive: true });
  folder = mkdtempSync(join(root, 'build/bundled-'));
});
afterAll(() => rmSync(folder, { recursive: true }));

describe('a bundle of a program with its skeletons', () => {
  test.each<[string, OutputOptions]>([
    ['runs', {}],
    ['runs when it is minified', { minify: true, keepNames: true }],
  ])('%s', async (name, output) => {
    const out = join(folder, name.replaceAll(' ', '-'));
    const input = join(folder, 'main.ts');
    writeFileSync(input, program);
    const bundle = await rolldown({ input, platform: 'node', external: ['koffi'] });
    await bundle.write({ dir: out, format: 'esm', entryFileNames: 'main.mjs', ...output });
    await bundle.close();
    // What reads its object from a file finds it beside the bundle.
    copyFileSync(join(golden('embed_file'), 'in.bpf.o'), join(out, 'in.bpf.o'));
    const { status, stdout, stderr } = spawnSync(process.execPath, [join(out, 'main.mjs')], {
      encoding: 'utf8',
    });
    expect([status, stderr]).toEqual([0, '']);
    expect(stdout).toBe('PerCpuArrayMap { packets: 7n, bytes: 9n } 16\ntrue\n');
  });
});
