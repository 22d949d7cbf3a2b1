import type { Kernel } from '../kernel/kernel.js';
import { type Attachment, cannotAttach } from './attach-error.js';
import { readText } from './text.js';

/**
 * Throws NotSupportedError when the kernel was booted without the BPF LSM: it would take a link to a security hook and
 * never run the program.
 */
export function assertBpfLsm(kernel: Kernel, attachment: Attachment): void {
  const active = readText(kernel, '/sys/kernel/security/lsm')?.trim();
  if (active === undefined || active === '' || active.split(',').includes('bpf')) return;
  throw cannotAttach(attachment, 'ENOENT', {
    why: `this kernel runs the security modules ${active}, and bpf is not among them, so the program would never run`,
    hint: `Boot with lsm=${active.replace(/^capability,/, '')},bpf`,
    unsupported: { feature: 'BPF LSM' },
  });
}
