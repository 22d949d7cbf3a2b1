import { readdirSync, readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { linuxKernel } from '../../runtime/src/kernel/linux.js';
import { fixUpBtf } from '../../runtime/src/loader/btf-fixup.js';
import { features } from '../../runtime/src/loader/features.js';
import { parseObject } from '../../runtime/src/object/parse.js';
import { kernelVersion } from '../../runtime/src/uapi.js';

const kernel = linuxKernel();
const descriptors = () => readdirSync('/proc/self/fd').length;

test.each(features.map((one) => [one.name, one.since, one] as const))(
  'a probe finds %s on kernels since %s, and leaves nothing behind',
  (_, since, feature) => {
    const [major = 0, minor = 0] = since?.split('.').map(Number) ?? [];
    const before = descriptors();
    expect(feature.probe(kernel)).toBe(kernel.version >= kernelVersion(major, minor));
    expect(descriptors()).toBe(before);
  },
);

const testdata = new URL('../testdata/', import.meta.url);
const objects = readdirSync(testdata).filter((name) => name.endsWith('.o') && !name.endsWith('.eb.o'));

describe.each(objects)('the BTF of %s is taken', (name) => {
  const spec = parseObject(readFileSync(new URL(name, testdata)));

  test.each([
    ['as this kernel knows it', undefined],
    ['as a kernel without any newer kind would', () => false],
  ])('%s', (_, has) => {
    kernel.close(kernel.btfLoad(fixUpBtf(spec, kernel, has)));
  });
});
