import { fileURLToPath } from 'node:url';
import { openObject } from '@bpfskel/runtime';
import { type FakeKernel, fakeKernel } from '@bpfskel/runtime/testing';
import { beforeEach, describe, expect, it, vi } from 'vitest';

const object = (name: string) => fileURLToPath(new URL(`../testdata/conformance/${name}.o`, import.meta.url));
/** A weak CONFIG_NO_SUCH_THING, and LINUX_KERNEL_VERSION. */
const weak = object('data_kconfig_dead');
/** The same, not weak. */
const strong = object('data_kconfig_missing');

let kernel: FakeKernel;
beforeEach(() => {
  kernel = fakeKernel();
});

function configured(text: string): void {
  kernel.setFile(`/boot/config-${kernel.release}`, text);
}

/** The bytes of `.kconfig` in the kernel. */
function loaded(path: string, options: { kconfig?: string } = {}): number[] {
  using _live = openObject(path).load({ kernel, ...options });
  for (const [, value] of kernel.map('.kconfig').entries()) return [...value];
  return [];
}

describe('a setting of the kernel that a program reads', () => {
  it('is taken from the configuration of the kernel', () => {
    configured('CONFIG_NO_SUCH_THING=y\n');
    expect(loaded(strong)).toEqual([1]);
  });

  it.each([
    ['CONFIG_NO_SUCH_THING=y', 1],
    ['CONFIG_NO_SUCH_THING=n', 0],
  ])('is %s when load() is told so, whatever the kernel says', (kconfig, value) => {
    configured('CONFIG_NO_SUCH_THING=y\n');
    expect(loaded(strong, { kconfig })).toEqual([value]);
    kernel.setFile(`/boot/config-${kernel.release}`, undefined);
    expect(loaded(strong, { kconfig })).toEqual([value]);
  });

  it('must be set, unless it is weak', () => {
    configured('# CONFIG_NO_SUCH_THING is not set\n');
    expect(() => loaded(strong)).toThrow(
      /the configuration of kernel \S+ does not set it; declare it __weak/,
    );
    expect(loaded(weak).slice(4)).toEqual([0]);
  });

  it.each([
    ['', strong],
    [', weak or not', weak],
  ])('is not guessed when the kernel does not tell%s', (_, path) => {
    expect(() => loaded(path)).toThrow(
      /^resolve extern "CONFIG_NO_SUCH_THING": neither \/boot\/config-\S+ nor \/proc\/config\.gz can be read; give load\(\) its value/,
    );
  });

  it('costs one reading of the configuration', () => {
    configured('');
    const read = vi.spyOn(kernel, 'buildConfig');
    loaded(weak);
    expect(read).toHaveBeenCalledTimes(1);
  });
});
