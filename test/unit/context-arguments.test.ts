import { describe, expect, it } from 'vitest';
import type { Btf } from '../../runtime/src/btf/btf.js';
import { ERRNO, syscallError } from '../../runtime/src/kernel/errno.js';
import type { ProgLoad } from '../../runtime/src/kernel/kernel.js';
import { contextArguments } from '../../runtime/src/loader/context-arguments.js';
import type { FunctionSpec, ObjectSpec } from '../../runtime/src/object/spec.js';
import { BPF_PROG_TYPE } from '../../runtime/src/uapi.js';
import { BtfBuilder } from './btf-builder.js';
import { recordedKernel } from './recorded-kernel.js';

/** A kernel before 6.8: the probe of the tag fails. */
const oldKernel = () =>
  recordedKernel({ version: '6.7' }, (call, argument) => {
    if (call === 'progLoad' && (argument as ProgLoad).name === 'det_arg_ctx') {
      throw syscallError('bpf(BPF_PROG_LOAD)', ERRNO.EINVAL);
    }
  }).kernel;

type Pointee =
  | 'void'
  | 'pt_regs'
  | 'user_pt_regs'
  | 'bpf_user_pt_regs_t'
  | '__sk_buff'
  | 'u64'
  | 'u32'
  | 'other';

/** `int f(int x, POINTEE *ctx __arg_ctx)`, called by one program. */
function object(pointee: Pointee | 'int', { linkage = 1 as 0 | 1, hidden = false, tags = [1] } = {}) {
  const b = new BtfBuilder();
  const int = b.int('int', 4);
  const target = () => {
    if (pointee === 'void') return 0;
    if (pointee === 'u64' || pointee === 'u32')
      return b.typedef(pointee, b.int('n', pointee === 'u64' ? 8 : 4));
    if (pointee === 'bpf_user_pt_regs_t') return b.const(b.typedef(pointee, b.struct('pt_regs', 8, [])));
    return b.struct(pointee, 8, []);
  };
  const argument = pointee === 'int' ? int : b.ptr(target());
  const id = b.func(
    'f',
    b.prototype(int, [
      ['x', int],
      ['ctx', argument],
    ]),
    linkage,
  );
  for (const component of tags) b.declTag('arg:ctx', id, component);
  const raw = new Uint8Array(8);
  const fn: FunctionSpec = {
    name: 'f',
    section: '.text',
    offset: 0,
    insns: new Uint8Array(8),
    linkage: linkage === 1 ? 'global' : 'static',
    hidden,
    weak: false,
    relocations: [],
    funcInfo: [{ insn: 0, typeId: id, raw }],
    lineInfo: [],
    coreRelocations: [],
  };
  const none = { license: 'GPL', kernelVersion: 0, maps: [], programs: [], externs: [], warnings: [] };
  const spec: ObjectSpec = { byteOrder: 'little', btf: b.btf(), functions: [fn], ...none };
  return { spec, fn, id };
}

/** What the second argument of the function's type for this program points to; undefined when it has no type of its own. */
function pointeeFor(type: keyof typeof BPF_PROG_TYPE, made: ReturnType<typeof object>, kernel = oldKernel()) {
  const program = { name: 'p', type: BPF_PROG_TYPE[type], functions: [made.fn] };
  const { spec, functions } = contextArguments(made.spec, [program], kernel);
  const copy = functions.get('p')?.get(made.id);
  if (copy === undefined) return undefined;
  const btf = spec.btf as Btf; // copies are made in BTF
  const fn = btf.type(copy);
  const prototype = fn.kind === 'func' ? btf.type(fn.type) : undefined;
  expect([fn.name, fn.kind === 'func' && fn.linkage]).toEqual(['f', 'global']);
  const [x, ctx] = prototype?.kind === 'func_proto' ? prototype.params : [];
  expect([x?.name, x?.type, ctx?.name]).toEqual(['x', 1, 'ctx']);
  const pointer = btf.resolve(ctx?.type ?? 0);
  const target = pointer.kind === 'ptr' ? btf.type(pointer.type) : undefined;
  return target?.kind === 'struct' ? `struct ${target.name}` : target?.kind;
}

describe('an argument tagged as context', () => {
  it.each([
    ['XDP', 'void', 'struct xdp_md'],
    ['SCHED_CLS', 'void', 'struct __sk_buff'],
    ['SCHED_CLS', '__sk_buff', undefined],
    ['SCHED_CLS', 'other', undefined],
    ['KPROBE', 'pt_regs', 'struct bpf_user_pt_regs_t'],
    ['KPROBE', 'bpf_user_pt_regs_t', undefined],
    ['PERF_EVENT', 'pt_regs', 'struct bpf_perf_event_data'],
    ['PERF_EVENT', 'user_pt_regs', undefined],
    ['RAW_TRACEPOINT', 'u64', 'struct bpf_raw_tracepoint_args'],
    ['RAW_TRACEPOINT', 'u32', undefined],
    ['SCHED_CLS', 'u64', undefined],
    ['SCHED_CLS', 'int', undefined],
    // Without a struct for their context.
    ['TRACEPOINT', 'void', undefined],
    ['SYSCALL', 'void', undefined],
  ] as const)('of a %s program that points to %s becomes %s', (type, pointee, expected) => {
    expect(pointeeFor(type, object(pointee))).toBe(expected);
  });

  it('points to the registers of the architecture', () => {
    const arm = new Proxy(oldKernel(), {
      get: (target, key) => (key === 'arch' ? 'arm64' : Reflect.get(target, key)),
    });
    expect(pointeeFor('PERF_EVENT', object('user_pt_regs'), arm)).toBe('struct bpf_perf_event_data');
    expect(pointeeFor('PERF_EVENT', object('pt_regs'), arm)).toBeUndefined();
  });

  it.each([
    ['a static function', { linkage: 0 as const }],
    ['a hidden function', { hidden: true }],
    ['no function, the index being wrong', { tags: [7] }],
    ['no argument', { tags: [-1] }],
  ])('of %s stays', (_name, options) => {
    expect(pointeeFor('XDP', object('void', options))).toBeUndefined();
  });

  it('stays where the kernel knows the tag', () => {
    const made = object('void');
    expect(pointeeFor('XDP', made, recordedKernel().kernel)).toBeUndefined();
  });

  it('keeps its tag', () => {
    const made = object('void');
    const { spec } = contextArguments(
      made.spec,
      [{ name: 'p', type: BPF_PROG_TYPE.XDP, functions: [made.fn] }],
      oldKernel(),
    );
    const btf = spec.btf as Btf; // as above
    const tags = btf.findPrefix('arg:ctx', 'decl_tag').map((id) => btf.type(id));
    expect(tags).toMatchObject([{ type: made.id, component: 1 }, { component: 1 }]);
  });

  it('costs no question when there is none', () => {
    const { kernel, fake } = recordedKernel();
    const made = object('void', { tags: [] });
    contextArguments(made.spec, [{ name: 'p', type: BPF_PROG_TYPE.XDP, functions: [made.fn] }], kernel);
    expect(fake.calls).toEqual([]);
  });

  it('gives each program its own type', () => {
    const made = object('void');
    const programs = (['XDP', 'SCHED_CLS'] as const).map((type) => ({
      name: type,
      type: BPF_PROG_TYPE[type],
      functions: [made.fn],
    }));
    const { functions } = contextArguments(made.spec, programs, oldKernel());
    expect(new Set([...functions.values()].map((copies) => copies.get(made.id))).size).toBe(2);
  });
});
