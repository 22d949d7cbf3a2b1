import { describe, expect, it } from 'vitest';
import { linuxKernel } from '../../runtime/src/kernel/linux.js';
import { supports, uprobeMultiLink } from '../../runtime/src/loader/features.js';
import { BPF_ATTACH_TYPE } from '../../runtime/src/uapi.js';
import { loadCounter } from './counter.js';

const kernel = linuxKernel();
const attachType = BPF_ATTACH_TYPE.TRACE_UPROBE_MULTI;

describe.runIf(supports(uprobeMultiLink, kernel))('a link of many uprobes', () => {
  it('is made of offsets, cookies and counters in one file, for one process', () => {
    const counter = loadCounter('usdt');
    expect(counter.handle.expectedAttachType).toBe(attachType);
    const link = kernel.linkCreate({
      prog: counter.handle.fd(),
      attachType,
      options: {
        kind: 'uprobe_multi',
        path: process.execPath,
        // Of the ELF header, which nothing runs.
        offsets: [0n, 16n],
        cookies: [1n, 2n],
        refCtrOffsets: [0n, 0n],
        pid: process.pid,
      },
    });
    expect(kernel.linkInfo(link).type).toBe('uprobe_multi');
    kernel.close(link);
    counter.close();
  });

  it.each([
    ['a file that is not there', { path: '/nowhere' }, 'ENOENT'],
    ['no place', { offsets: [] }, 'EINVAL'],
    ['flags that mean nothing', { flags: 0x80 }, 'EINVAL'],
    ['a process that is not there', { pid: 0x3fffffff }, 'ESRCH'],
  ])('is refused with %s', (_, wrong, code) => {
    const counter = loadCounter('usdt');
    const options = { kind: 'uprobe_multi', path: process.execPath, offsets: [0n], ...wrong } as const;
    expect(() => kernel.linkCreate({ prog: counter.handle.fd(), attachType, options })).toThrow(
      expect.objectContaining({ code }),
    );
    counter.close();
  });
});
