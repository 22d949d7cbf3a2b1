import { openObject } from '@bpfskel/runtime';
import { describe, expect, it } from 'vitest';
import { RawTracepointProgram } from '../../runtime/src/program/raw-tracepoint.js';
import { XdpProgram } from '../../runtime/src/program/xdp.js';

const open = () => openObject('test/testdata/own_section.o');

describe('programs in sections of somebody’s own', () => {
  it('are refused as long as nobody says what they are', () => {
    expect(() => open().load()).toThrow('load program "drop": SEC("mine") names no kind of program');
  });

  it('are what they are said to be, and attach as that does', () => {
    const object = open();
    for (const program of object.progs.values()) {
      program.section = program.section === 'mine' ? 'xdp' : program.section.replace(/^ours\//, 'raw_tp/');
    }
    using live = object.load();
    const [drop, count] = [live.progs.get('drop'), live.progs.get('count')];
    expect([drop, count].map((program) => program?.constructor)).toEqual([XdpProgram, RawTracepointProgram]);
    expect(drop?.testRun({ data: new Uint8Array(64) }).returnValue).toBe(1);
    live.attach();
    expect([...live.links.keys()]).toEqual(['count']);
    expect(count?.section).toBe('raw_tp/sys_enter');
  });
});
