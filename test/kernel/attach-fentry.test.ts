import { closeSync, openSync, unlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { syscallError } from '../../runtime/src/kernel/errno.js';
import type { Kernel } from '../../runtime/src/kernel/kernel.js';
import { FentryProgram, FexitProgram, FmodRetProgram, LsmProgram } from '../../runtime/src/program/index.js';
import { loadCounter } from './counter.js';
import { kernelHas } from './facts.js';
import { linkContract } from './link-contract.js';

const file = join(tmpdir(), `bpfskel-open-${process.pid}`);

/** Runs do_unlinkat and the hook file_open in the kernel. */
function trigger(): void {
  closeSync(openSync(file, 'w'));
  unlinkSync(file);
}

/** A kernel before 5.15, where BPF_LINK_CREATE takes no tracing program. */
const withoutTracingLinks: Partial<Kernel> = {
  linkCreate: () => {
    throw syscallError('bpf(BPF_LINK_CREATE)', 22);
  },
};

linkContract({
  name: 'a fentry program',
  when: kernelHas.fentry,
  load: () => loadCounter('fentry/do_unlinkat'),
  attach: ({ handle }) => new FentryProgram(handle).attach(),
  trigger,
  twice: /attached there already, or the function is taken .*\(EBUSY\)/,
});

linkContract({
  name: 'a fexit program',
  when: kernelHas.fentry,
  load: () => loadCounter('fexit/do_unlinkat'),
  attach: ({ handle }) => new FexitProgram(handle).attach(),
  trigger,
  twice: /attached there already, or the function is taken .*\(EBUSY\)/,
});

linkContract({
  name: 'a fexit program on a kernel without tracing links',
  when: kernelHas.fentry,
  load: () => loadCounter('fexit/do_unlinkat', 0, withoutTracingLinks),
  attach: ({ handle }) => new FexitProgram(handle).attach(),
  trigger,
  twice: /attached there already, or the function is taken .*\(EBUSY\)/,
});

linkContract({
  name: 'an fmod_ret program',
  when: kernelHas.fentry,
  load: () => loadCounter('fmod_ret/security_file_open'),
  attach: ({ handle }) => new FmodRetProgram(handle).attach(),
  trigger,
  twice: /attached there already, or the function is taken .*\(EBUSY\)/,
});

linkContract({
  name: 'an LSM program',
  when: kernelHas.lsm,
  load: () => loadCounter('lsm/file_open'),
  attach: ({ handle }) => new LsmProgram(handle).attach(),
  trigger,
  twice: /attached there already, or the function is taken .*\(EBUSY\)/,
});

describe('a fentry program', () => {
  it.runIf(kernelHas.fentry)('takes a cookie, and tells its link from another', () => {
    const counter = loadCounter('fentry/do_unlinkat');
    try {
      const link = new FentryProgram(counter.handle).attach({ cookie: 9n });
      const { progInfo } = counter.handle.kernel;
      expect(link.info().progId).toBe(progInfo(counter.handle.fd()).id);
    } finally {
      counter.close();
    }
  });
});
