/** Takes back what was made before `error`, all of it, and throws that: what goes wrong meanwhile counts less. */
export function failAfter(error: unknown, ...steps: readonly ((() => void) | undefined)[]): never {
  releaseAll(
    () => {
      throw error;
    },
    ...steps,
  );
  throw error;
}

/**
 * Runs every step in order even when some throw, then throws the first error: what ends an attachment must not stop
 * half way and leak the rest.
 */
export function releaseAll(...steps: readonly ((() => void) | undefined)[]): void {
  const errors: unknown[] = [];
  for (const step of steps) {
    try {
      step?.();
    } catch (error) {
      errors.push(error);
    }
  }
  if (errors.length > 0) throw errors[0];
}
