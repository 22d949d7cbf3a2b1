import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { openObject } from '@bpfskel/runtime';
import { fakeKernel } from '@bpfskel/runtime/testing';
import { describe, expect, it, vi } from 'vitest';
import { Btf } from '../../runtime/src/btf/btf.js';

const bytes = readFileSync(fileURLToPath(new URL('../golden/live_globals/in.bpf.o', import.meta.url)));
const open = () => openObject(bytes, { name: 'live' });

/** What the kernel is told of a section whose size is set before load(). */
function told(section: string, size: number) {
  const object = open();
  const map = object.maps.get(section);
  if (map === undefined) throw new Error(`no ${section}`);
  map.valueSize = size;
  const kernel = fakeKernel();
  const load = vi.spyOn(kernel, 'btfLoad');
  using _live = object.load({ kernel });
  const blob = load.mock.calls.map(([given]) => given).find((given) => given.length > 500);
  if (blob === undefined) throw new Error('no BTF was loaded');
  const btf = Btf.parse(blob);
  const id = btf.find(section, 'datasec') ?? 0;
  const type = btf.type(id);
  const last = type.kind === 'datasec' ? type.vars.at(-1) : undefined;
  const variable = last && btf.type(last.type);
  const array = variable?.kind === 'var' ? btf.resolve(variable.type) : undefined;
  const { valueSize, btfValueTypeId } = kernel.map(section).attributes;
  return {
    valueSize,
    typed: btfValueTypeId === id,
    section: type.kind === 'datasec' ? type.size : undefined,
    variable: [variable?.name, last?.offset, last?.size],
    length: array?.kind === 'array' ? array.length : undefined,
  };
}

describe('a data section that gets another size', () => {
  it.each([
    ['longer', 72, 8],
    ['shorter again', 16, 1],
  ])('is described as it is then: %s', (_how, size, length) => {
    expect(told('.data.samples', size)).toEqual({
      valueSize: size,
      typed: true,
      section: size,
      variable: ['samples', 8, size - 8],
      length,
    });
  });

  it('goes without types when its end is no whole element, or no array', () => {
    expect(told('.data.samples', 70)).toMatchObject({ valueSize: 70, typed: false, section: 16, length: 1 });
    expect(told('.bss', 4096)).toMatchObject({ valueSize: 4096, typed: false });
  });

  it('keeps what is in it', () => {
    const object = open();
    object.data.get('.data')?.set([9], 0);
    const data = object.maps.get('.data');
    if (data === undefined) throw new Error('no .data');
    data.valueSize = 40;
    expect([data.valueSize, data.spec.valueSize, object.data.get('.data')?.length]).toEqual([40, 40, 40]);
    expect([...(object.data.get('.data')?.subarray(0, 5) ?? [])]).toEqual([9, 0, 0, 0, 2]);
    data.valueSize = 2;
    expect([...(object.data.get('.data') ?? [])]).toEqual([9, 0]);
  });

  it.each([0, -1, 1.5, Number.NaN, 2 ** 31])('has no size of %d bytes', (size) => {
    expect(() => {
      for (const map of open().maps.values()) map.valueSize = size;
    }).toThrow(/^set valueSize of map "\S+": .* is no number of bytes that a section can have$/);
  });

  it('is open still', () => {
    const object = open();
    using _live = object.load({ kernel: fakeKernel() });
    expect(() => {
      for (const map of object.maps.values()) map.valueSize = 64;
    }).toThrow(/is already loaded/);
  });
});

it('other maps keep their size, which skeletons state', () => {
  const object = openObject(
    readFileSync(fileURLToPath(new URL('../../examples/xdp/xdp_kern.o', import.meta.url))),
    { name: 'xdp' },
  );
  const map = object.maps.get('by_protocol');
  expect(() => {
    if (map !== undefined) map.valueSize = 64;
  }).toThrow('set valueSize of map "by_protocol": only sections of global data can get another size');
});
