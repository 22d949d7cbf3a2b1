import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import type * as Koffi from 'koffi';
import { NotSupportedError } from '../errors.js';

export type { Koffi };

/** The koffi whose native part was tried without the JavaScript around it. */
export const TRIED = '3.3.4';

/** By architecture, the loader that musl's programs start with. koffi has another binary for them. */
const MUSL: Readonly<Record<string, string>> = {
  x64: '/lib/ld-musl-x86_64.so.1',
  arm64: '/lib/ld-musl-aarch64.so.1',
};

/**
 * Loads koffi. Not an import: generated modules are imported off Linux too.
 * @throws NotSupportedError where koffi has no binary
 */
export function loadKoffi(): typeof Koffi {
  const require = createRequire(import.meta.url);
  try {
    return nativeKoffi(require) ?? (require('koffi') as typeof Koffi); // the package of that name
  } catch (cause) {
    throw new NotSupportedError(
      'koffi',
      `load koffi, which calls the kernel for bpfskel: ${cause instanceof Error ? cause.message : String(cause)}`,
      { cause },
    );
  }
}

/**
 * The native part of koffi, from where npm puts it: koffi takes 8 ms to find out which it is and to deprecate what is
 * not used here, loading it 2. Undefined for versions that were not tried, where it lies elsewhere, and with musl.
 */
function nativeKoffi(require: NodeJS.Require): typeof Koffi | undefined {
  const { arch } = process;
  const musl = MUSL[arch];
  if (musl === undefined || existsSync(musl)) return undefined;
  try {
    const koffi = require(`@koromix/koffi-linux-${arch}/linux_${arch}/koffi.node`) as typeof Koffi; // its exports
    return koffi.version === TRIED ? koffi : undefined;
  } catch {
    // koffi itself says what is wrong, or finds what lies elsewhere.
    return undefined;
  }
}
