import { existsSync } from 'node:fs';
import { isAbsolute } from 'node:path';
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
  // Not an import: webpack replaces what is called so and imported, and finds nothing then.
  const { createRequire } = process.getBuiltinModule('node:module');
  let cause: unknown;
  for (const place of places()) {
    try {
      const require = createRequire(place);
      return nativeKoffi(require) ?? (require('koffi') as typeof Koffi); // the package of that name
    } catch (error) {
      cause = error;
      if (!isMissing(error)) break;
    }
  }
  throw new NotSupportedError(
    'koffi',
    `load koffi, which calls the kernel for bpfskel: ${cause instanceof Error ? cause.message : String(cause)}`,
    { cause },
  );
}

/**
 * The files beside which packages are looked for: this one; and when it became part of a bundle, the bundle and the
 * program that runs. webpack writes down where this file lay on the machine that made the bundle, CommonJS has no URL.
 */
function places(): string[] {
  return [import.meta.url, fileName(), process.argv[1]].filter(
    // A URL that is missing is not in the types.
    (place: unknown): place is string =>
      typeof place === 'string' && (place.startsWith('file:') || isAbsolute(place)),
  );
}

/** What CommonJS calls the file. */
function fileName(): string | undefined {
  try {
    return __filename;
  } catch {
    // A module has no such name. To ask for its type is not enough: webpack answers that itself, and wrongly.
    return undefined;
  }
}

function isMissing(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'MODULE_NOT_FOUND';
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
