import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { kernelHas } from './facts.js';
import { RunningExample } from './running-example.js';

const root = mkdtempSync(join(tmpdir(), 'bpfskel-guard-'));
const folder = join(root, 'inside');
const inside = join(folder, 'deep', 'er', 'note');
const outside = join(root, 'secret');
mkdirSync(join(folder, 'deep', 'er'), { recursive: true });
writeFileSync(inside, 'what is inside\n');
writeFileSync(outside, 'what is outside\n');
afterAll(() => rmSync(root, { recursive: true }));

/** A shell under guard that runs these commands, one after the other, and ends as the last of them. */
const guarded = (commands: readonly string[], ...options: string[]) =>
  new RunningExample('openguard', [folder, ...options, '--', 'bash', '-c', commands.join('; ')]);

describe('examples/openguard', () => {
  it.runIf(kernelHas.lsm)('lets a command and its children open files in the folder alone', async () => {
    const created = join(root, 'created');
    const commands = [
      `cat ${inside}`,
      `echo new > ${folder}/new`,
      `cat ${outside}`,
      `(sh -c 'echo changed >> ${outside}')`,
      `: > ${outside}`,
      `echo new > ${created}`,
      `read line < ${folder}/../secret`,
      'exit 7',
    ];
    await using guard = guarded(commands);
    expect(await guard.ended()).toBe(7);
    expect(guard.stdout).toBe('what is inside\n');
    expect(readFileSync(join(folder, 'new'), 'utf8')).toBe('new\n');
    expect(readFileSync(outside, 'utf8')).toBe('what is outside\n');
    expect(existsSync(created)).toBe(false);
    const denials = guard.stderr.match(/^denied .*$/gm)?.map((line) => line.replace(/ \(\d+\)/, ''));
    expect(denials).toEqual([
      `denied cat to read "${outside}"`,
      `denied sh to write "${outside}"`,
      `denied bash to write "${outside}"`,
      'denied bash to create "created"',
      `denied bash to read "${outside}"`,
    ]);
  });

  it.runIf(kernelHas.lsm)('does not concern other processes, and lets read what --read names', async () => {
    await using guard = guarded(
      [`cat ${outside}`, `echo more >> ${outside}`, 'exec sleep 600'],
      '--read',
      outside,
    );
    await guard.until(/^denied bash \(\d+\) to write/m);
    expect(guard.stdout).toBe('what is outside\n');
    writeFileSync(outside, 'what is outside\n');
    expect(await guard.end('SIGTERM')).toBe(143);
  });

  it.runIf(!kernelHas.lsm)('says in one sentence that this kernel cannot deny', async () => {
    await using guard = guarded(['true']);
    expect(await guard.ended()).toBe(1);
    expect(guard.stderr.trim().split('\n')).toHaveLength(1);
    expect(guard.stderr).toMatch(/^load program "inherit": |^attach "inherit" to /);
  });

  it.runIf(kernelHas.patience).each([
    ['no command', [folder], 2, /^usage: /],
    ['no folder', ['--', 'true'], 2, /^usage: /],
  ])('refuses %s', async (_name, args, status, message) => {
    await using guard = new RunningExample('openguard', args);
    expect(await guard.ended()).toBe(status);
    expect(guard.stderr).toMatch(message);
  });
});
