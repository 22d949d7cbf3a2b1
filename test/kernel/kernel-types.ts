import { readFileSync } from 'node:fs';
import { Btf } from '../../runtime/src/btf/btf.js';
import { findAttachTarget, type KernelTypes } from '../../runtime/src/program/attach-target.js';
import type { AttachBtf } from '../../runtime/src/program/program.js';

let vmlinux: Btf | undefined;

/** The running kernel's types, without modules. */
export function kernelTypes(): KernelTypes {
  vmlinux ??= Btf.parse(readFileSync('/sys/kernel/btf/vmlinux'), { label: 'vmlinux BTF' });
  return { vmlinux, modules: () => [] };
}

/** BTF id of what a section's rule and target mean on this kernel. */
export function attachBtfId(rule: AttachBtf, target: string): number {
  const found = findAttachTarget(rule, target, kernelTypes());
  if ('missing' in found) throw new Error(found.missing);
  return found.btfId;
}
