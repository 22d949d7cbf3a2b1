import { describe, expect, it } from 'vitest';
import type { Btf } from '../../runtime/src/btf/btf.js';
import { findAttachTarget, type KernelTypes } from '../../runtime/src/program/attach-target.js';
import type { AttachBtf } from '../../runtime/src/program/program.js';

/** BTF of nothing but named types, in the parts findAttachTarget reads. */
function types(first: number, named: readonly [kind: 'func' | 'typedef' | 'struct', name: string][]): Btf {
  const find = (name: string, ...kinds: string[]) => {
    const index = named.findIndex(([kind, each]) => each === name && kinds.includes(kind));
    return index < 0 ? undefined : first + index;
  };
  const some: Pick<Btf, 'find' | 'findOwn' | 'findPrefix' | 'name'> = {
    find,
    findOwn: find,
    findPrefix: (prefix, ...kinds) =>
      named.flatMap(([kind, name], index) =>
        name.startsWith(prefix) && kinds.includes(kind) ? [first + index] : [],
      ),
    name: (id) => named[id - first]?.[1] ?? '',
  };
  return some as Btf; // the function under test calls nothing else
}

const vmlinux = types(1, [
  ['struct', 'do_unlinkat'],
  ['func', 'do_unlinkat'],
  ['func', 'do_rmdir'],
  ['typedef', 'btf_trace_sched_switch'],
  ['func', 'bpf_lsm_file_open'],
  ['func', 'bpf_iter_task'],
]);
const xfs = types(100, [
  ['func', 'xfs_file_open'],
  ['func', 'do_unlinkat'],
]);
const nf = types(100, [['func', 'nf_hook_entry']]);

const func: AttachBtf = { prefix: '', kind: 'func' };
const tracepoint: AttachBtf = { prefix: 'btf_trace_', kind: 'typedef' };
const lsm: AttachBtf = { prefix: 'bpf_lsm_', kind: 'func' };
const iter: AttachBtf = { prefix: 'bpf_iter_', kind: 'func' };

function kernel(): KernelTypes & { asked: number } {
  return {
    vmlinux,
    asked: 0,
    modules() {
      this.asked += 1;
      return [
        { name: 'nf', btf: nf },
        { name: 'xfs', btf: xfs },
      ];
    },
  };
}

describe('what a section names', () => {
  const found: [AttachBtf, string, object][] = [
    [func, 'do_unlinkat', { btfId: 2 }],
    [func, 'vmlinux:do_unlinkat', { btfId: 2 }],
    [func, 'xfs:do_unlinkat', { btfId: 101, module: 'xfs' }],
    [func, 'xfs_file_open', { btfId: 100, module: 'xfs' }],
    [tracepoint, 'sched_switch', { btfId: 4 }],
    [lsm, 'file_open', { btfId: 5 }],
    [iter, 'task', { btfId: 6 }],
  ];
  it.each(found)('with %o, %s is found', (rule, target, expected) => {
    expect(findAttachTarget(rule, target, kernel())).toEqual(expected);
  });

  it('does not ask for modules when vmlinux has the answer', () => {
    const types = kernel();
    findAttachTarget(func, 'do_unlinkat', types);
    findAttachTarget(func, 'vmlinux:nothing', types);
    expect(types.asked).toBe(0);
  });

  const missing: [AttachBtf, string, string][] = [
    [
      func,
      'do_unlinkatt',
      'this kernel has no function do_unlinkatt in its BTF: it may be inlined, renamed, or in a module that is not loaded; similar names: do_unlinkat',
    ],
    [func, 'xfs:xfs_file_opem', 'module xfs has no function xfs_file_opem in its BTF'],
    [func, 'xf:xfs_file_open', 'no module xf with BTF is loaded'],
    [func, 'vmlinux:xfs_file_open', 'this kernel has no function xfs_file_open'],
    [tracepoint, 'sched_swich', 'no tracepoint sched_swich in its BTF; similar names: sched_switch'],
    [lsm, 'file_opn', 'no LSM hook file_opn in its BTF; similar names: file_open'],
    [iter, 'tasks', 'no iterator tasks in its BTF; similar names: task'],
    [func, '', 'does not name what to attach to'],
    [func, 'xfs:', 'does not name what to attach to'],
  ];
  it.each(missing)('with %o, "%s" is missing', (rule, target, text) => {
    expect(findAttachTarget(rule, target, kernel())).toEqual({ missing: expect.stringContaining(text) });
  });
});
