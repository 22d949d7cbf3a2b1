import { describe, expect, it } from 'vitest';
import { ATTR } from '../../runtime/src/kernel/attr.js';
import { ERRNO } from '../../runtime/src/kernel/errno.js';
import type { Libc } from '../../runtime/src/kernel/libc.js';
import { queryCalls } from '../../runtime/src/kernel/prog-query.js';
import { kernelVersion } from '../../runtime/src/uapi.js';

/** A libc whose kernel has `there` programs on the hook, and one more at every question. */
function growing(there: number): Pick<Libc, 'bpf' | 'errno' | 'address'> {
  const memory = new Map<number, Uint8Array>();
  let programs = there;
  return {
    address(bytes) {
      memory.set(memory.size + 1, bytes);
      return BigInt(memory.size);
    },
    bpf(_command, address) {
      const attr = memory.get(address);
      if (attr === undefined) throw new Error('no such address');
      const view = new DataView(attr.buffer);
      const at = ATTR.progQuery;
      const room = view.getUint32(at.prog_cnt, true);
      const ids = memory.get(Number(view.getBigUint64(at.prog_ids, true)));
      if (ids === undefined) throw new Error('no room for ids');
      for (let index = 0; index < Math.min(room, programs); index++) {
        new DataView(ids.buffer).setUint32(index * 4, index + 100, true);
      }
      view.setUint32(at.prog_cnt, programs, true);
      if (room >= programs) return 0;
      programs += 1;
      return -1;
    },
    errno: () => ERRNO.ENOSPC,
  };
}

const query = { target: { fd: 7 }, attachType: 1 };

describe('asking for the programs of a hook', () => {
  it('asks again with more room when there are more than expected', () => {
    const libc = growing(80) as Libc; // only these three are called
    const { progQuery } = queryCalls(libc, kernelVersion(5, 10));
    const { programs } = progQuery(query);
    expect(programs).toHaveLength(81);
    expect(programs[80]).toEqual({ id: 180, linkId: 0, flags: 0 });
  });
});
