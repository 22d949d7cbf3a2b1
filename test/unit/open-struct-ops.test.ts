import { isBpfError } from '@bpfskel/runtime';
import { describe, expect, it } from 'vitest';
import { xdp_kern } from '../../examples/xdp/xdp.skel.js';
import { type OpenStructOps, struct_ops } from '../golden/struct_ops/expected.skel.js';
import { BtfBuilder } from './btf-builder.js';
import { recordedKernel } from './recorded-kernel.js';

const message = (action: () => unknown): string => {
  try {
    action();
  } catch (error) {
    return isBpfError(error) ? error.message : String(error);
  }
  return 'nothing was thrown';
};

/** A kernel with the struct of the object, as far as the object knows it. */
function kernelWithOps() {
  const b = new BtfBuilder();
  const int = b.int('int', 4);
  const unsigned = b.int('unsigned int', 4, 'unsigned');
  const chars = b.array(b.int('char', 1), 16);
  const callback = b.ptr(b.prototype(int, []));
  const members = ['ssthresh', 'cong_avoid', 'undo_cwnd', 'init'].map((name, index) => ({
    name,
    type: callback,
    at: index * 8,
  }));
  const ops = b.struct('tcp_congestion_ops', 56, [
    ...members,
    { name: 'name', type: chars, at: 32 },
    { name: 'flags', type: unsigned, at: 48 },
  ]);
  b.struct('bpf_struct_ops_tcp_congestion_ops', 64 + 56, [
    { name: 'common', type: int, at: 0 },
    { name: 'data', type: ops, at: 64 },
  ]);
  return recordedKernel({ btf: b.bytes() });
}

function loaded(set: (open: OpenStructOps) => void) {
  const recorded = kernelWithOps();
  const open = struct_ops.open();
  open.maps.by_value.autocreate = false;
  set(open);
  const skel = open.load({ kernel: recorded.kernel });
  skel.attach();
  const [[, value] = []] = [...recorded.fake.map('calm').entries()];
  if (value === undefined) throw new Error('calm has no value');
  const view = new DataView(value.buffer, value.byteOffset);
  const functions = [0, 8, 16, 24].map((at) => Number(view.getBigUint64(64 + at, true)));
  const name = new TextDecoder().decode(value.subarray(96, 112)).replace(/\0+$/, '');
  return { recorded, skel, functions, name, flags: view.getUint32(112, true) };
}

describe('members of a struct_ops map', () => {
  it('show what the object declares', () => {
    using open = struct_ops.open();
    const { calm } = open.struct_ops;
    expect([calm.ssthresh, calm.undo_cwnd, calm.init]).toEqual([
      open.progs.ssthresh,
      open.progs.undo_cwnd,
      null,
    ]);
    expect([calm.name, calm.flags, open.struct_ops.by_value.name]).toEqual([
      'bpfskel_calm',
      0,
      'bpfskel_old',
    ]);
    expect(Object.keys(calm)).toEqual(['ssthresh', 'cong_avoid', 'undo_cwnd', 'init', 'name', 'flags']);
  });

  it('reach the kernel as they were set, and programs are loaded as they are used', () => {
    const { skel, functions, name, flags, recorded } = loaded((open) => {
      const { calm } = open.struct_ops;
      calm.ssthresh = open.progs.ssthresh_high;
      calm.init = open.progs.init;
      calm.cong_avoid = null;
      calm.name = 'mine';
      calm.flags = 5;
      expect([calm.ssthresh?.name, calm.cong_avoid, calm.name]).toEqual(['ssthresh_high', null, 'mine']);
    });
    const { ssthresh_high, undo_cwnd, init } = skel.progs;
    expect([functions, name, flags]).toEqual([[ssthresh_high.fd, 0, undo_cwnd.fd, init.fd], 'mine', 5]);
    const names = recorded.fake.programs.map((program) => program.name);
    expect(names).toEqual(expect.arrayContaining(['ssthresh_high', 'undo_cwnd', 'init']));
    expect(names.filter((one) => one === 'ssthresh' || one === 'cong_avoid')).toEqual([]);
    skel.destroy();
  });

  it('of one open() are not those of the next', () => {
    using first = struct_ops.open();
    first.struct_ops.calm.ssthresh = null;
    first.struct_ops.calm.name = 'other';
    using second = struct_ops.open();
    expect([second.struct_ops.calm.ssthresh?.name, second.struct_ops.calm.name]).toEqual([
      'ssthresh',
      'bpfskel_calm',
    ]);
    expect(first.struct_ops.by_value.ssthresh?.name).toBe('ssthresh');
  });

  it('take nothing else', () => {
    using open = struct_ops.open();
    using other = struct_ops.open();
    using foreign = xdp_kern.open();
    const { calm } = open.struct_ops;
    const set = (program: unknown) => message(() => Reflect.set(calm, 'ssthresh', program));
    expect(set(open.progs.no_member)).toBe(
      'set struct_ops.calm.ssthresh: program "no_member" is SEC("xdp"); members of struct_ops are SEC("struct_ops") programs',
    );
    for (const program of [other.progs.ssthresh, foreign.progs.count_packets]) {
      expect(set(program)).toMatch(
        /^set struct_ops\.calm\.ssthresh: program "\w+" is of another object, or another open\(\)$/,
      );
    }
    for (const program of [undefined, 'ssthresh', 0n]) {
      expect(set(program)).toBe(
        'set struct_ops.calm.ssthresh: it takes a program of the object that is open, or null',
      );
    }
    expect(message(() => (calm.name = 'x'.repeat(17)))).toBe(
      'set struct_ops.calm.name: text of 17 bytes does not fit char[16]',
    );
    expect(() => Object.assign(calm, { nmae: 'x' })).toThrow(TypeError);
  });

  it('are settled once the object is loaded', () => {
    const recorded = kernelWithOps();
    const open = struct_ops.open();
    open.maps.by_value.autocreate = false;
    using _skel = open.load({ kernel: recorded.kernel });
    for (const set of [
      () => (open.struct_ops.calm.ssthresh = null),
      () => (open.struct_ops.calm.flags = 1),
    ]) {
      expect(message(set)).toMatch(/^set struct_ops\.calm\.\w+: struct_ops is already loaded/);
    }
  });
});

it('an object without such maps has no struct_ops', () => {
  using open = xdp_kern.open();
  expect('struct_ops' in open).toBe(false);
});
