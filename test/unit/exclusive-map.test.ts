import { NotSupportedError, openObject } from '@bpfskel/runtime';
import { describe, expect, it } from 'vitest';
import { fakeKernel } from '../../runtime/src/testing/index.js';
import { testObject } from './object-editor.js';
import { recordedKernel } from './recorded-kernel.js';

function open(kernel: ReturnType<typeof recordedKernel>['kernel'], owner = 'owner') {
  const object = openObject(testObject('exclusive.o'), { kernel });
  const [map, program] = [object.maps.get('ours'), object.progs.get(owner)];
  if (map === undefined || program === undefined) throw new Error('the object is not what it was');
  map.exclusiveProgram = program;
  return { object, map, program };
}

describe('a map for one program alone', () => {
  it('is created for instructions that neither constants nor descriptors change', () => {
    const programOf = (change: (data: Uint8Array | undefined) => void, owner?: string) => {
      const recorded = recordedKernel({ version: '6.18' });
      const { object, program } = open(recorded.kernel, owner);
      program.autoload = true;
      change(object.data.get('.rodata'));
      object.load().destroy();
      expect(recorded.map('ours').exclusiveProgram?.length).toBeGreaterThan(8);
      return recorded.map('ours').exclusiveProgram;
    };
    const first = programOf(() => undefined);
    expect(programOf((data) => data?.set([77]))).toEqual(first);
    expect(programOf(() => undefined, 'stranger')).not.toEqual(first);
  });

  it('is for everybody again when it is set so', () => {
    const recorded = recordedKernel({ version: '6.18' });
    const { object, map, program } = open(recorded.kernel);
    expect(map.exclusiveProgram).toBe(program);
    map.exclusiveProgram = undefined;
    object.load().destroy();
    expect(recorded.map('ours').exclusiveProgram).toBeUndefined();
  });

  it('takes no program of another object, and none after load()', () => {
    const { kernel } = recordedKernel({ version: '6.18' });
    const { map, object } = open(kernel);
    expect(() => {
      map.exclusiveProgram = open(kernel).program;
    }).toThrow('set exclusiveProgram of map "ours": program "owner" is of another object, or another open()');
    object.load().destroy();
    expect(() => {
      map.exclusiveProgram = undefined;
    }).toThrow(expect.objectContaining({ code: 'ERR_BPF_STATE' }));
  });

  it('needs its program', () => {
    const { object, program } = open(recordedKernel({ version: '6.18' }).kernel);
    program.autoload = false;
    expect(() => object.load()).toThrow(
      'create map "ours": it is for program "owner" alone, which is not loaded (autoload is false)',
    );
  });

  it('needs Linux 6.18, and says so', () => {
    const load = () => open(fakeKernel({ version: '6.17' })).object.load();
    expect(load).toThrow(
      'create map "ours": a map for one program alone needs Linux 6.18, this is 6.17.0-fake (EINVAL). Leave its exclusiveProgram undefined there',
    );
    expect(load).toThrow(NotSupportedError);
  });
});
