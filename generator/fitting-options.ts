import { isBpfError } from '@bpfskel/runtime/inspect';
import type { GenerateOptions } from './options.js';

/** An option that names what the object does not have, or not any more. */
export interface Misfit {
  /** As it is written on a command line. */
  readonly option: readonly [string, string];
  readonly why: string;
}

/**
 * The options that an object still takes, each tried alone: one that names a map or a type that is gone must not hide
 * everything else that changed.
 */
export function fittingOptions(
  options: GenerateOptions,
  attempt: (options: GenerateOptions) => unknown,
): { options: GenerateOptions; misfits: Misfit[] } {
  const bare = { ...options, records: new Map(), unions: new Map(), bytes: [], types: [] };
  const misfits: Misfit[] = [];
  const fits = (name: string, text: string, only: Partial<GenerateOptions>) => {
    try {
      attempt({ ...bare, ...only });
      return true;
    } catch (error) {
      if (!isBpfError(error)) throw error;
      misfits.push({ option: [name, text], why: error.message });
      return false;
    }
  };
  const pairs = (name: string, given: ReadonlyMap<string, string>, key: 'records' | 'unions') =>
    new Map([...given].filter((pair) => fits(name, pair.join('='), { [key]: new Map([pair]) })));
  const texts = (name: string, given: readonly string[], key: 'bytes' | 'types') =>
    given.filter((text) => fits(name, text, { [key]: [text] }));
  return {
    options: {
      ...options,
      records: pairs('--record', options.records, 'records'),
      unions: pairs('--union', options.unions ?? new Map(), 'unions'),
      bytes: texts('--bytes', options.bytes ?? [], 'bytes'),
      types: texts('--type', options.types, 'types'),
    },
    misfits,
  };
}
