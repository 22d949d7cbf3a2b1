import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { verifyObject } from '@bpfskel/runtime';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { kernelTypes } from './kernel-types.js';

const file = (path: string) => fileURLToPath(new URL(`../../${path}`, import.meta.url));
const refused = file('test/testdata/refused.o');
const xdp = file('examples/xdp/xdp_kern.o');
const pinned = file('test/testdata/conformance/map_pinned.o');
const types = file('test/testdata/conformance/core_types.o');

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'bpfskel-verify-'));
});
afterAll(() => rmSync(folder, { recursive: true }));

/** The built tool, in a process of its own. */
function run(...args: string[]) {
  return spawnSync(process.execPath, [file('dist/cli.js'), 'verify', ...args], { encoding: 'utf8' });
}

describe('bpfskel verify', () => {
  it('shows a verdict for each program, explains the refused, and fails', () => {
    const { status, stdout, stderr } = run(xdp, refused);
    expect([status, stderr]).toEqual([1, '']);
    expect(stdout).toMatch(/^ {2}count_packets +xdp +accepted +\d+ +\d+ +\d+ +\S+ +[0-9a-f]{16}$/m);
    expect(stdout).toMatch(/^ {2}reads_past_end +xdp +refused EACCES$/m);
    expect(stdout).toMatch(/load program "reads_past_end": verifier: .* at \S*refused\.bpf\.c:10/);
    expect(stdout).toMatch(/\n2 objects: 1 of 2 programs accepted\n$/);
  });

  it('is content with refusals that were expected', () => {
    const expected = join(folder, 'expected');
    writeFileSync(expected, 'refused.o reads_past_end  # on purpose\n');
    const { status, stdout } = run(refused, '--expect', expected);
    expect(status).toBe(0);
    expect(stdout).toContain('refused EACCES, expected');
  });

  it('prints a line of JSON for each object', () => {
    const { status, stdout } = run('--json', refused, xdp);
    const lines = stdout.trimEnd().split('\n');
    expect([status, lines.length]).toEqual([1, 2]);
    const [first, second] = lines.map((line) => JSON.parse(line));
    expect([first.open, first.load, first.programs[0].err]).toEqual([0, -13, -13]);
    expect(second.programs[0]).toMatchObject({
      ...{ name: 'count_packets', err: 0, tag: expect.stringMatching(/^[0-9a-f]{16}$/) },
      statistics: { processed: expect.any(Number), totalStates: expect.any(Number) },
    });
  });
});

describe('verifyObject()', () => {
  it('pins nothing', () => {
    expect(verifyObject(pinned)).toMatchObject({ load: 0, programs: [{ err: 0 }] });
    expect(existsSync('/sys/fs/bpf/bpfskel_test_pinned')).toBe(false);
  });

  it('relocates against the BTF it is given', () => {
    const tags = (kernelBtf?: Uint8Array) =>
      verifyObject(types, kernelBtf === undefined ? {} : { kernelBtf }).programs.map(({ tag }) => tag);
    const own = kernelTypes().vmlinux.bytes;
    expect(tags(own)).toEqual(tags());
  });
});
