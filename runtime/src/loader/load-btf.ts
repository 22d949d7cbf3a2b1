import { isBpfError } from '../errors.js';
import type { Fd } from '../kernel/kernel.js';
import { refusal } from '../link/attach-error.js';
import type { ObjectSpec } from '../object/spec.js';
import { fixUpBtf } from './btf-fixup.js';
import { explain } from './diagnose.js';
import type { Ownership } from './live-object.js';
import type { ResizedSections } from './resized-section.js';

/**
 * Gives the object's BTF to the kernel, which wants it for typed maps, line information and much else. A kernel that
 * refuses it costs those only, as with libbpf, unless something in the object cannot work without.
 */
export function loadBtf(
  spec: ObjectSpec,
  ownership: Ownership,
  resized: ResizedSections,
  warn: (sentence: string) => void = () => undefined,
): Fd | undefined {
  if (spec.btf === undefined) return undefined;
  const { kernel } = ownership;
  const bytes = fixUpBtf(spec, kernel, undefined, resized);
  try {
    return ownership.fd(kernel.btfLoad(bytes));
  } catch (error) {
    if (!isBpfError(error)) throw error;
    if (needsBtf(spec))
      throw refusal('load the BTF of the object', error, explain(kernel, error, { btf: true }));
    warn(
      `the object goes without its BTF, so maps have no types and programs no line numbers: ${error.message}`,
    );
    return undefined;
  }
}

/** libbpf's kernel_needs_btf: struct_ops maps do. */
function needsBtf(spec: ObjectSpec): boolean {
  return spec.maps.some(({ origin }) => origin === 'struct_ops');
}
