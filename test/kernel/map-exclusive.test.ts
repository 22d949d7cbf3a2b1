import { NotSupportedError, openObject, type VerifierError } from '@bpfskel/runtime';
import { describe, expect, it } from 'vitest';
import { linuxKernel } from '../../runtime/src/kernel/linux.js';
import { HashMap } from '../../runtime/src/map/hash.js';
import { kernelVersion } from '../../runtime/src/uapi.js';
import { openFds } from './link-contract.js';

const exclusive = linuxKernel().version >= kernelVersion(6, 18);

/** The object, whose map is for one of its two programs. */
function open(owner = 'owner') {
  const object = openObject('test/testdata/exclusive.o');
  const [map, program] = [object.maps.get('ours'), object.progs.get(owner)];
  if (map === undefined || program === undefined) throw new Error('the object is not what it was');
  map.exclusiveProgram = program;
  return { object, program };
}

describe.runIf(exclusive)('a map for one program alone', () => {
  it('is used by it', () => {
    const { object } = open();
    // The value of a constant is no part of a program.
    object.data.get('.rodata')?.set([6]);
    using live = object.load();
    const map = live.maps.get('ours');
    if (!(map instanceof HashMap)) return expect.fail('no hash');
    for (let i = 0; i < 3; i++) live.progs.get('owner')?.testRun({});
    expect([...map]).toEqual([[new Uint8Array([6, 0, 0, 0]), new Uint8Array([3, 0, 0, 0, 0, 0, 0, 0])]]);
  });

  it('keeps others away', () => {
    const before = openFds();
    const { object } = open();
    for (const program of object.progs.values()) program.autoload = true;
    expect(() => object.load()).toThrow(
      expect.objectContaining<Partial<VerifierError>>({
        name: 'VerifierError',
        message: expect.stringMatching(/^load program "stranger": .*hash/),
      }),
    );
    expect(openFds()).toBe(before);
  });

  it('may be for the other', () => {
    const { object } = open('stranger');
    for (const program of object.progs.values()) program.autoload = program.name === 'stranger';
    object.load().destroy();
  });
});

describe.runIf(!exclusive)('a map for one program alone on an older kernel', () => {
  it('says which kernel has it', () => {
    const { object } = open();
    expect(() => object.load()).toThrow(NotSupportedError);
    expect(() => object.load()).toThrow(
      /^create map "ours": a map for one program alone needs Linux 6\.18, this is/,
    );
  });
});
