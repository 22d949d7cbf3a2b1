import { closeSync, openSync, unlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { KretsyscallProgram, KsyscallProgram } from '../../runtime/src/program/index.js';
import { loadCounter } from './counter.js';
import { kernelHas } from './facts.js';
import { expectRefusal, linkContract } from './link-contract.js';

const file = join(tmpdir(), `bpfskel-unlink-ksyscall-${process.pid}`);

/** Calls unlink(2). */
function trigger(): void {
  closeSync(openSync(file, 'w'));
  unlinkSync(file);
}

linkContract({
  name: 'a ksyscall program',
  when: kernelHas.kprobes,
  load: () => loadCounter('ksyscall/unlink'),
  attach: ({ handle }) => new KsyscallProgram(handle).attach(),
  trigger,
  twice: 'runs',
});
linkContract({
  name: 'a kretsyscall program',
  when: kernelHas.kprobes,
  load: () => loadCounter('kretsyscall/unlink'),
  attach: ({ handle }) => new KretsyscallProgram(handle).attach(),
  trigger,
  twice: 'runs',
});

describe('a ksyscall program', () => {
  it.runIf(kernelHas.kprobes)('is refused with the names of similar system calls', () => {
    const counter = loadCounter('ksyscall/unlinkk');
    try {
      const program = new KsyscallProgram(counter.handle);
      expectRefusal(() => program.attach(), /no system call unlinkk \(ENOENT\)\. Similar names: unlink/);
    } finally {
      counter.close();
    }
  });

  it.runIf(!kernelHas.kprobes)('is refused by a kernel without kprobes, in words', () => {
    const counter = loadCounter('ksyscall/unlink');
    try {
      const program = new KsyscallProgram(counter.handle);
      expectRefusal(
        () => program.attach(),
        /attach "counter" to ksyscall unlink: this kernel has no kprobes/,
      );
      expect(counter.runs()).toBe(0);
    } finally {
      counter.close();
    }
  });
});
