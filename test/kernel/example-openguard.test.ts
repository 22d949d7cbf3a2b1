import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { kernelHas } from './facts.js';
import { RunningExample } from './running-example.js';

const root = mkdtempSync(join(tmpdir(), 'bpfskel-guard-'));
const folder = join(root, 'inside');
const inside = join(folder, 'deep', 'er', 'note');
const readable = join(root, 'readable');
const outside = join(root, 'secret');
mkdirSync(join(folder, 'deep', 'er'), { recursive: true });
mkdirSync(readable);
writeFileSync(join(readable, 'note'), 'to be read\n');
writeFileSync(inside, 'what is inside\n');
writeFileSync(outside, 'what is outside\n');
afterAll(() => rmSync(root, { recursive: true }));

/** A shell under guard that runs these commands, one after the other. */
const guarded = (...commands: string[]) =>
  new RunningExample('openguard', [folder, '--read', readable, '--', 'bash', '-c', commands.join('; ')]);

describe('examples/openguard', () => {
  it.runIf(kernelHas.lsm)('lets a command and its children open files in the folder alone', async () => {
    const created = join(root, 'created');
    await using guard = guarded(
      'exec 2> /dev/null', // the shell's own complaints
      `cat ${inside}`,
      `cat ${readable}/note`,
      `echo new > ${folder}/new`,
      `cat ${outside}`,
      `(sh -c 'echo changed >> ${outside}')`,
      `: > ${outside}`,
      `echo new > ${readable}/note`,
      `echo new > ${created}`,
      `read line < ${folder}/../secret`,
      'echo done',
      'exec sleep 60',
    );
    await guard.until(/^done$/m);
    expect(guard.stdout).toBe('what is inside\nto be read\ndone\n');
    expect(readFileSync(join(folder, 'new'), 'utf8')).toBe('new\n');
    expect(readFileSync(outside, 'utf8')).toBe('what is outside\n');
    expect(existsSync(created)).toBe(false);
    const denials = () => guard.stderr.match(/^denied .*$/gm)?.map((line) => line.replace(/ \(\d+\)/, ''));
    await expect
      .poll(denials)
      .toEqual([
        `denied "cat" to read "${outside}"`,
        `denied "sh" to write "${outside}"`,
        `denied "bash" to write "${outside}"`,
        `denied "bash" to write "${readable}/note"`,
        'denied "bash" to create "created"',
        `denied "bash" to read "${outside}"`,
      ]);
    // It does not concern other processes, nor the command's end.
    writeFileSync(outside, 'changed');
    expect(await guard.end('SIGTERM')).toBe(143);
  });

  it.runIf(!kernelHas.lsm)('says in one sentence that this kernel cannot deny', async () => {
    await using guard = guarded('true');
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
