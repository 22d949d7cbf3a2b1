import { readdirSync, readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { linuxKernel } from '../../runtime/src/kernel/linux.js';
import { kernelVersion } from '../../runtime/src/uapi.js';
import { type StructOps, struct_ops } from '../golden/struct_ops/expected.skel.ts';
import { kernelTypes } from './kernel-types.js';

const kernel = linuxKernel();
const structOps = kernelTypes().vmlinux.find('bpf_struct_ops_tcp_congestion_ops', 'struct') !== undefined;
const links = kernel.version >= kernelVersion(6, 4);
const congestionControls = () =>
  readFileSync('/proc/sys/net/ipv4/tcp_available_congestion_control', 'utf8').trim().split(' ');

/** The object with the one of its maps that this kernel registers. */
function open() {
  const object = struct_ops.open();
  object.maps.calm.autocreate = links;
  object.maps.by_value.autocreate = !links;
  return { object, ops: links ? object.struct_ops.calm : object.struct_ops.by_value };
}

/** What the kernel has in the map's functions: ids of programs. */
function functionsOf(skel: StructOps): Set<bigint> {
  const { fd } = links ? skel.maps.calm : skel.maps.by_value;
  const value = new Uint8Array(kernel.mapInfo(fd).valueSize);
  kernel.mapLookup(fd, new Uint8Array(4), value);
  return new Set(new BigUint64Array(value.buffer, 0, value.length >> 3));
}

describe.runIf(structOps)('members of a struct_ops map that are set before load', () => {
  it('are the programs and the data that the kernel has', () => {
    const before = readdirSync('/proc/self/fd').length;
    {
      const { object, ops } = open();
      expect([ops.ssthresh?.name, ops.init]).toEqual(['ssthresh', null]);
      ops.name = 'bpfskel_set';
      ops.ssthresh = object.progs.ssthresh_high;
      ops.init = object.progs.init;
      using skel = object.load();
      skel.attach();
      expect(congestionControls()).toContain('bpfskel_set');
      const functions = functionsOf(skel);
      const { ssthresh_high, init, undo_cwnd } = skel.progs;
      expect(
        [ssthresh_high, init, undo_cwnd].map((program) => functions.has(BigInt(program.info().id))),
      ).toEqual([true, true, true]);
      // What was replaced is not loaded.
      expect(skel.progs.ssthresh).toBeUndefined();
      skel.detach();
      expect(congestionControls()).not.toContain('bpfskel_set');
    }
    expect(readdirSync('/proc/self/fd').length).toBe(before);
  });

  it('may be left to the kernel, unless it needs them', () => {
    const { object, ops } = open();
    ops.undo_cwnd = null;
    using skel = object.load();
    // tcp_congestion_ops must have ssthresh, undo_cwnd and one of cong_avoid and cong_control.
    expect(() => skel.attach()).toThrow(/struct_ops/);
    expect(skel.progs.undo_cwnd).toBeUndefined();
  });
});
