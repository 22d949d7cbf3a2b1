import type { Btf } from '@bpfskel/runtime/inspect';

/**
 * Types of members that the kernel keeps to itself in map values (btf_parse_fields): a lookup shows them as zeros, and an
 * update leaves them as they are.
 */
const keptStructs: ReadonlySet<string> = new Set([
  'bpf_spin_lock',
  'bpf_res_spin_lock',
  'bpf_timer',
  'bpf_wq',
  'bpf_task_work',
  'bpf_list_head',
  'bpf_list_node',
  'bpf_rb_root',
  'bpf_rb_node',
  'bpf_refcount',
]);

/** Tags of pointers to objects of the kernel. (Behind `__uptr` is memory of the process, which it may set.) */
const keptPointers: ReadonlySet<string> = new Set(['kptr', 'kptr_untrusted', 'percpu_kptr']);

/** Is a member of this type the kernel's alone? So are arrays of such. */
export function isKept(btf: Btf, typeId: number): boolean {
  const type = btf.resolve(typeId);
  switch (type.kind) {
    case 'array':
      return isKept(btf, type.element);
    case 'struct':
      return keptStructs.has(type.name);
    case 'ptr': {
      if (type.type === 0) return false;
      const target = btf.type(type.type);
      return target.kind === 'type_tag' && keptPointers.has(target.name);
    }
    default:
      return false;
  }
}
