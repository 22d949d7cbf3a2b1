import { afterEach, describe, expect, it } from 'vitest';
import type { Fd } from '../../runtime/src/kernel/kernel.js';
import { linuxKernel } from '../../runtime/src/kernel/linux.js';
import { BPF_ATTACH_TYPE, BPF_F_BEFORE, BPF_PROG_TYPE, kernelVersion } from '../../runtime/src/uapi.js';

const kernel = linuxKernel();
const open: Fd[] = [];
afterEach(() => {
  for (const fd of open.splice(0)) kernel.close(fd);
});
const own = (fd: Fd): Fd => {
  open.push(fd);
  return fd;
};

/** r0 = -1 (TCX_NEXT); exit */
const next = new Uint8Array([0xb7, 0, 0, 0, 255, 255, 255, 255, 0x95, 0, 0, 0, 0, 0, 0, 0]);
const load = (): Fd => own(kernel.progLoad({ type: BPF_PROG_TYPE.SCHED_CLS, insns: next, license: 'GPL' }));

describe('the programs of a hook', () => {
  const lo = kernel.ifindex('lo');
  const query = { target: { ifindex: lo }, attachType: BPF_ATTACH_TYPE.TCX_EGRESS };

  it.runIf(kernel.version >= kernelVersion(6, 6))('are told in the order they run', () => {
    const expected = Array.from({ length: 60 }, () => {
      const prog = load();
      const link = own(
        kernel.linkCreate({
          prog,
          attachType: BPF_ATTACH_TYPE.TCX_EGRESS,
          target: { ifindex: lo },
          flags: BPF_F_BEFORE,
          options: { kind: 'ordered' },
        }),
      );
      return { id: kernel.progInfo(prog).id, linkId: kernel.linkInfo(link).id, flags: 0 };
    });
    const answer = kernel.progQuery(query);
    expect(answer.programs).toEqual(expected.reverse());
    expect(answer.revision).toBe(61n);
  });

  it('are refused for a hook that cannot be asked', () => {
    expect(() => kernel.progQuery({ ...query, attachType: BPF_ATTACH_TYPE.XDP })).toThrow('EINVAL');
  });
});
