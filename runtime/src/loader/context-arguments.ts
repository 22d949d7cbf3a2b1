import { Btf } from '../btf/btf.js';
import type { BtfDeclTag, BtfFunc, BtfType } from '../btf/types.js';
import type { Kernel } from '../kernel/kernel.js';
import type { FunctionSpec, ObjectSpec } from '../object/spec.js';
import { BPF_PROG_TYPE } from '../uapi.js';
import { BtfEditor, Word } from './btf-editor.js';
import { argContextTag, supports } from './features.js';
import { Kind, typeInfo } from './tiny-btf.js';

/** A program whose functions may have arguments tagged as its context. */
export interface TaggedProgram {
  readonly name: string;
  /** `enum bpf_prog_type`. */
  readonly type: number;
  readonly functions: readonly FunctionSpec[];
}

/** The object with the BTF that the kernel is to get, and which types of functions each program uses instead of its own. */
export interface ContextArguments {
  readonly spec: ObjectSpec;
  /** By program, then by id of the function as compiled. */
  readonly functions: ReadonlyMap<string, ReadonlyMap<number, number>>;
}

/** The struct by whose name the verifier of older kernels knows a context (libbpf: global_ctx_map). */
const contextNames: Readonly<Partial<Record<keyof typeof BPF_PROG_TYPE, string>>> = {
  CGROUP_DEVICE: 'bpf_cgroup_dev_ctx',
  CGROUP_SKB: '__sk_buff',
  CGROUP_SOCK: 'bpf_sock',
  CGROUP_SOCK_ADDR: 'bpf_sock_addr',
  CGROUP_SOCKOPT: 'bpf_sockopt',
  CGROUP_SYSCTL: 'bpf_sysctl',
  FLOW_DISSECTOR: '__sk_buff',
  KPROBE: 'bpf_user_pt_regs_t',
  LWT_IN: '__sk_buff',
  LWT_OUT: '__sk_buff',
  LWT_SEG6LOCAL: '__sk_buff',
  LWT_XMIT: '__sk_buff',
  NETFILTER: 'bpf_nf_ctx',
  PERF_EVENT: 'bpf_perf_event_data',
  RAW_TRACEPOINT: 'bpf_raw_tracepoint_args',
  RAW_TRACEPOINT_WRITABLE: 'bpf_raw_tracepoint_args',
  SCHED_ACT: '__sk_buff',
  SCHED_CLS: '__sk_buff',
  SK_LOOKUP: 'bpf_sk_lookup',
  SK_MSG: 'sk_msg_md',
  SK_REUSEPORT: 'sk_reuseport_md',
  SK_SKB: '__sk_buff',
  SOCK_OPS: 'bpf_sock_ops',
  SOCKET_FILTER: '__sk_buff',
  XDP: 'xdp_md',
};
const nameOf: ReadonlyMap<number, string> = new Map(
  Object.entries(contextNames).map(([type, name]) => [
    BPF_PROG_TYPE[type as keyof typeof BPF_PROG_TYPE], // keys of the table above
    name,
  ]),
);

/**
 * `__arg_ctx` arguments of global functions, for kernels before 6.8, which do not know the tag: a program gets a copy of
 * the function's type in which the argument points to the context's struct (libbpf: bpf_program_fixup_func_info).
 */
export function contextArguments(
  spec: ObjectSpec,
  programs: readonly TaggedProgram[],
  kernel: Kernel,
): ContextArguments {
  const { btf } = spec;
  const tags = btf === undefined ? [] : tagsIn(btf);
  if (btf === undefined || tags.length === 0 || supports(argContextTag, kernel)) {
    return { spec, functions: new Map() };
  }
  const editor = new BtfEditor(btf);
  const functions = new Map(
    programs.map((program) => [program.name, copyFunctions(editor, program, tags, kernel.arch)]),
  );
  return { spec: { ...spec, btf: Btf.parse(editor.bytes()) }, functions };
}

function tagsIn(btf: Btf): BtfDeclTag[] {
  const tags: BtfDeclTag[] = [];
  for (let id = btf.firstId; id < btf.endId; id++) {
    if (btf.kind(id) !== 'decl_tag' || btf.name(id) !== 'arg:ctx') continue;
    const tag = btf.type(id);
    if (tag.kind === 'decl_tag') tags.push(tag);
  }
  return tags;
}

function copyFunctions(
  editor: BtfEditor,
  { type, functions }: TaggedProgram,
  tags: readonly BtfDeclTag[],
  arch: string,
): ReadonlyMap<number, number> {
  const { btf } = editor;
  const copies = new Map<number, number>();
  const context = nameOf.get(type);
  if (context === undefined) return copies;
  let pointer: number | undefined;
  // What is hidden is verified together with its callers, and needs no types.
  const used = new Set(functions.flatMap((fn) => (fn.hidden ? [] : fn.funcInfo.map(({ typeId }) => typeId))));
  for (const id of new Set(tags.map((tag) => tag.type))) {
    const fn = used.has(id) ? btf.type(id) : undefined;
    if (fn?.kind !== 'func' || fn.linkage !== 'global') continue;
    const args = tags
      .filter(
        (tag) =>
          tag.type === id && isOtherContext(argument(btf, fn, tag.component), type, context, arch, btf),
      )
      .map(({ component }) => component);
    if (args.length === 0) continue;
    pointer ??= addPointer(editor, context);
    copies.set(id, copyFunction(editor, fn, new Set(args), pointer));
  }
  return copies;
}

function argument(btf: Btf, fn: BtfFunc, index: number): number | undefined {
  const prototype = btf.type(fn.type);
  return prototype.kind === 'func_proto' ? prototype.params[index]?.type : undefined;
}

/** How user programs see registers, by node's names of architectures (bpf_user_pt_regs_t). */
const registers: Readonly<Record<string, string>> = {
  x64: 'pt_regs',
  arm64: 'user_pt_regs',
  s390x: 'user_pt_regs',
  loong64: 'user_pt_regs',
  riscv64: 'user_regs_struct',
};

/** Is this a pointer to the context under another name than the verifier's (libbpf: need_func_arg_type_fixup)? */
function isOtherContext(
  id: number | undefined,
  progType: number,
  context: string,
  arch: string,
  btf: Btf,
): boolean {
  const pointer = id === undefined ? undefined : btf.resolve(id);
  if (pointer?.kind !== 'ptr') return false;
  if (isNamed(btf, pointer.type, 'bpf_user_pt_regs_t')) {
    return progType !== BPF_PROG_TYPE.KPROBE && progType !== BPF_PROG_TYPE.PERF_EVENT;
  }
  const target: BtfType = btf.resolve(pointer.type);
  switch (target.kind) {
    case 'void':
      return true;
    case 'struct':
      if (target.name === context) return false;
      if (progType === BPF_PROG_TYPE.KPROBE) return target.name === 'pt_regs';
      return progType === BPF_PROG_TYPE.PERF_EVENT && target.name === registers[arch];
    case 'int':
      return (
        target.size === 8 &&
        (progType === BPF_PROG_TYPE.RAW_TRACEPOINT || progType === BPF_PROG_TYPE.RAW_TRACEPOINT_WRITABLE)
      );
    default:
      return false;
  }
}

/** True for the typedef of this name under any number of qualifiers. */
function isNamed(btf: Btf, id: number, name: string): boolean {
  for (let at = id, steps = 0; at !== 0 && steps < 32; steps++) {
    const type = btf.type(at);
    if (type.kind === 'typedef') return type.name === name;
    if (type.kind !== 'const' && type.kind !== 'volatile' && type.kind !== 'restrict') return false;
    at = type.type;
  }
  return false;
}

function addPointer(editor: BtfEditor, struct: string): number {
  const id = editor.add([editor.addString(struct), typeInfo(Kind.STRUCT), 0]);
  return editor.add([0, typeInfo(Kind.PTR), id]);
}

/** A function as `fn`, whose arguments in `args` have the type `pointer`, with their tags. */
function copyFunction(editor: BtfEditor, fn: BtfFunc, args: ReadonlySet<number>, pointer: number): number {
  const prototype = editor.btf.type(fn.type);
  const params = prototype.kind === 'func_proto' ? prototype.params : [];
  const words = params.flatMap(({ type }, index) => [
    editor.word(fn.type, Word.DATA + index * 2),
    args.has(index) ? pointer : type,
  ]);
  const returns = editor.word(fn.type, Word.SIZE_OR_TYPE);
  const copy = editor.add([0, typeInfo(Kind.FUNC_PROTO, params.length), returns, ...words]);
  const id = editor.add([editor.word(fn.id, Word.NAME), editor.word(fn.id, Word.INFO), copy]);
  const tag = editor.addString('arg:ctx');
  for (const index of args) editor.add([tag, typeInfo(Kind.DECL_TAG), id, index]);
  return id;
}
