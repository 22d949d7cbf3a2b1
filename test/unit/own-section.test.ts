import { openObject } from '@bpfskel/runtime';
import { expect, it } from 'vitest';
import { BPF_PROG_TYPE } from '../../runtime/src/uapi.js';
import { testObject } from './object-editor.js';
import { recordedKernel } from './recorded-kernel.js';

function open() {
  const recorded = recordedKernel();
  const object = openObject(testObject('own_section.o'), { kernel: recorded.kernel });
  const [drop, count] = [object.progs.get('drop'), object.progs.get('count')];
  if (drop === undefined || count === undefined) throw new Error('the object is not what it was');
  return { recorded, object, drop, count };
}

it('a program is loaded as the section that was set says', () => {
  const { recorded, object, drop, count } = open();
  expect([drop.section, drop.meaning]).toEqual(['mine', undefined]);
  drop.section = 'tc';
  drop.section = 'xdp.frags';
  count.section = 'tp/syscalls/sys_enter_openat';
  object.load().destroy();
  expect(recorded.program('drop').type).toBe(BPF_PROG_TYPE.XDP);
  expect(recorded.program('drop').flags).not.toBe(0);
  expect(recorded.program('count').type).toBe(BPF_PROG_TYPE.TRACEPOINT);
});

it('a section that means nothing is refused, but for the one that is there', () => {
  const { drop } = open();
  expect(() => {
    drop.section = 'xpd';
  }).toThrow('set section of program "drop": SEC("xpd") names no kind of program; did you mean SEC("xdp")?');
  drop.section = 'mine';
  expect(drop.meaning).toBeUndefined();
});

it('a section is set before load()', () => {
  const { object, drop, count } = open();
  drop.section = 'xdp';
  count.autoload = false;
  object.load().destroy();
  expect(() => {
    drop.section = 'tc';
  }).toThrow(expect.objectContaining({ code: 'ERR_BPF_STATE' }));
});
